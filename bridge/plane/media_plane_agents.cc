// The agents of legs with full ICE, as control sees them.
#include <unistd.h>

#include <thread>
#include <utility>

#include "base/match.h"
#include "bridge/plane/media_plane.h"
#include "bridge/plane/media_socket.h"

namespace vas::bridge {

// Full ICE sends checks wherever a party says (RFC 8445 §19.5.1): not to a group, and not to this machine
// unless media is there; never to one of our own media ports.
bool MediaPlane::may_be_checked(const Endpoint& peer) const {
  if (is_own_address(peer.address) && is_in_range(peer.port)) return false;
  // Who is near was settled by who knows where its SIP comes from.
  if (config_.peers) return !config_.peers->refusal_of(peer.address, AddressPolicy::PrivateRanges::kOpen);
  const bool is_local = peer.address.is_loopback() && !config_.bind_ipv4.is_loopback();
  return !is_local && !peer.address.is_multicast();
}

// The agent's path comes back through control: the worker knows the leg's credentials by then.
void MediaPlane::direct_agent(LegPlace& leg, const LegConfig& config) {
  if (config.ice) return agents_->check(*leg.agent, config.ice->remote, config.ice->peers);
  agents_->adopt_plain(*leg.agent, config.far_rtp.address.family);
}

void MediaPlane::open_agents() {
  ice::AgentsConfig config{.first_port = config_.first_port,
                           .last_port = config_.last_port,
                           .stun = config_.stun_server,
                           .turn = config_.turn_server,
                           .relays_only = config_.relays_only};
  if (!config_.bind_ipv4.is_unspecified()) config.addresses.push_back(config_.bind_ipv4);
  if (config_.bind_ipv6 && !config_.bind_ipv6->is_unspecified())
    config.addresses.push_back(*config_.bind_ipv6);
  // An agent says three things in its life or so, and there are as many agents as ports at most.
  agents_ = std::make_unique<ice::NiceAgents>(std::move(config), [this](ice::AgentEvent&& event) {
    MediaEvent told(std::move(event));
    while (!events_.push(std::move(told)) && !is_stopping_) std::this_thread::yield();
  });
}

void MediaPlane::gather_leg(BridgeId bridge, LegSide side, AddressFamily family,
                            const ice::IceCredentials& local, ice::IceRole role) {
  thread_check_.check();
  if (!agents_) open_agents();
  LegPlace& leg = bridges_.at(bridge).legs[index_of(side)];
  if (leg.agent != leg.carrier) close_agent(leg.agent);
  leg.agent = ice::AgentId{next_agent_++};
  leg.family = family;
  agent_owners_.emplace(*leg.agent, Owner{bridge, side});
  agents_->gather(*leg.agent, local, role);
}

void MediaPlane::close_agents(LegPlace& leg) {
  if (leg.carrier == leg.agent) leg.carrier.reset();
  close_agent(leg.agent);
  close_agent(leg.carrier);
}

void MediaPlane::close_agent(std::optional<ice::AgentId>& agent) {
  if (!agent) return;
  agent_owners_.erase(*agent);
  agents_->close(*agent);
  agent.reset();
}

void MediaPlane::apply(MediaEvent& event) {
  thread_check_.check();
  match(
      event, [this](const BridgeClosed& closed) { forget(closed); },
      [&](ice::AgentEvent& said) { event = translate(std::move(said)); },
      ignoring<std::monostate, MediaSilent, BridgeHeard, LegGathered, LegPathFound>);
}

MediaEvent MediaPlane::translate(ice::AgentEvent&& event) {
  const ice::AgentId agent = std::visit([](const auto& each) { return each.agent; }, event);
  const auto owner = agent_owners_.find(agent);
  if (owner == agent_owners_.end()) {
    if (const auto* path = std::get_if<ice::PathFound>(&event)) ::close(path->socket);
    return {};
  }
  const Owner leg = owner->second;
  return match(
      std::move(event), [&](ice::Gathered&& gathered) { return accept_candidates(leg, std::move(gathered)); },
      [&](ice::PathFound&& path) { return accept_path(leg, std::move(path)); },
      [&](const ice::PathLost& lost) { return lose_path(leg, lost.agent); });
}

MediaEvent MediaPlane::accept_candidates(const Owner& owner, ice::Gathered&& gathered) {
  LegPlace& leg = bridges_.at(owner.bridge).legs[index_of(owner.side)];
  const auto local = ice::default_address(gathered.candidates, leg.family);
  leg.local = local.value_or(Endpoint());
  return LegGathered{owner.bridge, owner.side, local, std::move(gathered.candidates)};
}

MediaEvent MediaPlane::accept_path(const Owner& owner, ice::PathFound&& path) {
  const LegPlace& leg = bridges_.at(owner.bridge).legs[index_of(owner.side)];
  // A pair that the peer's own check made, from an address that nobody named (RFC 8445 §7.3.1.3).
  const bool is_plain = !path.peer.is_set();
  if (path.agent == leg.agent && (path.is_pipe || is_plain || may_be_checked(path.peer)))
    return adopt_path(owner, std::move(path));
  ::close(path.socket);  // of the time before a restart
  return {};
}

// What a younger agent does not find leaves the path alone.
MediaEvent MediaPlane::lose_path(const Owner& owner, ice::AgentId agent) {
  const BridgePlace& place = bridges_.at(owner.bridge);
  if (agent == place.legs[index_of(owner.side)].carrier)
    post(place.worker, LosePath{owner.bridge, owner.side});
  return {};
}

MediaEvent MediaPlane::adopt_path(const Owner& owner, ice::PathFound&& path) {
  set_media_options(path.socket, path.local.address.family, PortUse::kOwn);
  const LegPathFound found{owner.bridge, owner.side, path.local_type};
  BridgePlace& place = bridges_.at(owner.bridge);
  LegPlace& leg = place.legs[index_of(owner.side)];
  if (leg.carrier != leg.agent) close_agent(leg.carrier);
  leg.carrier = leg.agent;
  if (!path.is_pipe) close_agents(leg);  // their work is done
  give_back_port(leg);
  leg.is_sharing = false;
  post(place.worker, AdoptSocket{owner.bridge, owner.side, std::move(path)});
  return found;
}

void MediaPlane::ask_agents(Time now) {
  thread_check_.check();
  if (agents_) agents_->ask(agents_pulse_, now);
}

}  // namespace vas::bridge
