#include "bridge/media_plane.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "vas/base/clock.h"
#include "vas/base/match.h"
#include "vas/base/random.h"

namespace vas::bridge {
namespace {

StreamSeed random_seed() {
  const std::uint64_t bits = random_u64();
  // The timestamp stays clear of a wrap for the first minutes, as some phones mind; and the sequence number,
  // so that one lost packet at the start does not put the SRTP peer into another round (RFC 3711 §3.3.1).
  return {
      {random_u32()}, {static_cast<std::uint16_t>(bits & 0x7fff)}, {static_cast<std::uint32_t>(bits >> 33)}};
}

void set_media_options(int descriptor, AddressFamily family, PortUse use) {
  const bool is_shared = use == PortUse::kShared;
  const int receive_bytes =
      is_shared ? MediaWorker::kSharedReceiveBufferBytes : MediaWorker::kReceiveBufferBytes;
  // Beyond the system's limit (net.core.rmem_max) with privilege only.
  if (!is_shared ||
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof receive_bytes) != 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
  if (family == AddressFamily::kIpv4) {
    setsockopt(descriptor, IPPROTO_IP, IP_TOS, &kTosExpeditedForwarding, sizeof kTosExpeditedForwarding);
  } else {
    setsockopt(descriptor, IPPROTO_IPV6, IPV6_TCLASS, &kTosExpeditedForwarding,
               sizeof kTosExpeditedForwarding);
  }
  set_ttl_options(descriptor, family);
}

int bind_udp(const Endpoint& local, PortUse use) {
  sockaddr_storage address{};
  const socklen_t length = local.to_sockaddr(address);
  const int descriptor = socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  set_media_options(descriptor, local.address.family, use);
  if (bind(descriptor, reinterpret_cast<sockaddr*>(&address), length) == 0) return descriptor;
  const int reason = errno;
  ::close(descriptor);
  errno = reason;
  return -1;
}

}  // namespace

Result<std::unique_ptr<MediaPlane>> MediaPlane::open(const MediaPlaneConfig& config) {
  // Tried here once, so that what is missing is said at the start and not by a worker.
  Inbox<int> wake(2);
  std::string why_not;
  const auto io = make_packet_io(config.io, wake.descriptor(), why_not);
  if (!io) return Error{io.error()};
  auto dtls = media::DtlsContext::make();
  if (!dtls) return Error{dtls.error()};
  std::unique_ptr<MediaPlane> plane(new MediaPlane(config));
  plane->dtls_ = std::move(*dtls);
  plane->description_ = (*io)->name();
  if (!why_not.empty()) plane->description_ += " (" + why_not + ")";
  plane->open_kernel_relay();
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const int workers = config.workers > 0 ? config.workers : cores;
  for (int i = 0; i < workers; ++i) {
    plane->workers_.push_back(
        std::make_unique<MediaWorker>(MediaWorker::Config{config.io,
                                                          {plane->kernel_.get(), plane->routes_.get()},
                                                          plane->sends_frames_,
                                                          config.peers,
                                                          config.first_port,
                                                          config.last_port},
                                      plane->events_));
  }
  plane->load_.resize(plane->workers_.size());
  plane->shared_ports_.resize(plane->workers_.size());
  return plane;
}

MediaPlane::MediaPlane(const MediaPlaneConfig& config)
    : config_(config), ports_(config.first_port, config.last_port, random_u32()) {}

MediaPlane::~MediaPlane() {
  is_stopping_ = true;
  agents_.reset();
  if (routes_) routes_->stop();  // it speaks to the workers, and they to it
  workers_.clear();
}

// Without any of it everything works, in user space and by sockets.
void MediaPlane::open_kernel_relay() {
  if (config_.sends_frames) {
    const auto frames = FrameSender::open();
    sends_frames_ = static_cast<bool>(frames);
    description_ += frames ? ", sending frames" : " (" + frames.error() + ")";
  }
  description_ += "; " + open_fast_path();
  if (!kernel_ && !sends_frames_) return;
  auto routes = RouteKeeper::open(kernel_.get());
  if (routes) {
    routes_ = std::move(*routes);
  } else {
    description_ += "; neither, for there is " + routes.error();
  }
}

std::string MediaPlane::open_fast_path() {
  if (!config_.uses_kernel) return "no kernel fast path: switched off (media-kernel)";
  auto relay = KernelRelay::open({config_.first_port, config_.last_port, config_.leg_packets_per_second,
                                  config_.in_driver, config_.uses_clsact});
  if (!relay) return "no kernel fast path: " + relay.error();
  kernel_ = std::move(*relay);
  return std::string("plain calls in the kernel (") + kernel_->hook() + (config_.in_driver ? ", XDP)" : ")");
}

MediaFigures MediaPlane::figures() const {
  MediaFigures sum;
  for (const auto& worker : workers_) {
    const WorkerCounters& each = worker->counters();
    sum.user_packets += each.user_packets.load(std::memory_order_relaxed);
    sum.kernel_packets += each.kernel_packets.load(std::memory_order_relaxed);
    sum.overrun += each.overrun.load(std::memory_order_relaxed);
    sum.oversized += each.oversized.load(std::memory_order_relaxed);
    sum.stray += each.stray.load(std::memory_order_relaxed);
    sum.over_limit += each.over_limit.load(std::memory_order_relaxed);
    sum.fast_legs += each.fast_legs.load(std::memory_order_relaxed);
  }
  return sum;
}

std::vector<MediaPlane::ThreadPulse> MediaPlane::pulses() {
  std::vector<ThreadPulse> all;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    MediaWorker& worker = *workers_[i];
    all.push_back({"media-" + std::to_string(i), &worker.pulse(), [&worker](Time now) { worker.ask(now); }});
  }
  if (routes_) all.push_back({"routes", &routes_->pulse(), [this](Time now) { routes_->ask(now); }});
  all.push_back({"ice", &agents_pulse_, {}});
  return all;
}

void MediaPlane::ask_agents(Time now) {
  if (agents_) agents_->ask(agents_pulse_, now);
}

std::size_t MediaPlane::least_loaded_worker() const {
  return static_cast<std::size_t>(std::min_element(load_.begin(), load_.end()) - load_.begin());
}

BridgeId MediaPlane::open_bridge() {
  const BridgeId id{next_id_++};
  const std::size_t worker = least_loaded_worker();
  const std::array seeds{random_seed(), random_seed()};
  bridges_[id] = {.worker = worker, .ssrcs = {seeds[0].ssrc, seeds[1].ssrc}, .legs = {}};
  ++load_[worker];
  post(worker, OpenBridge{id, config_.media_timeout, seeds,
                          SecureSetup{.srtp_backend = config_.srtp_backend,
                                      .dtls = dtls_.get(),
                                      .leg_packets_per_second = config_.leg_packets_per_second}});
  return id;
}

Result<Endpoint> MediaPlane::open_leg(BridgeId bridge, LegSide side, AddressFamily family, PortUse use) {
  BridgePlace& place = bridges_.at(bridge);
  LegPlace& leg = place.legs[index_of(side)];
  const bool has_ports = leg.port != 0 || (leg.is_sharing && use == PortUse::kShared);
  // What an agent gathered for has the agent's address, not that of its ports.
  if (has_ports && !leg.agent && leg.family == family) return leg.local;
  LegPlace before = leg;
  auto local = use == PortUse::kShared ? share_leg(bridge, place, side, family)
                                       : bind_leg(bridge, place, side, family);
  if (!local) return local;
  close_agents(before);
  give_back_port(before);
  return local;
}

Result<IpAddress> MediaPlane::bind_address(AddressFamily family) const {
  if (family == AddressFamily::kIpv4) return config_.bind_ipv4;
  if (!config_.bind_ipv6) return Error{"no IPv6 media address is configured (media.bind6)"};
  return *config_.bind_ipv6;
}

IpAddress MediaPlane::said_address(const IpAddress& bound) const {
  return bound.family == AddressFamily::kIpv4 ? config_.advertised_ipv4.value_or(bound) : bound;
}

// A port that another program holds goes to the end of the queue; one turn through the pool is enough.
Result<MediaPlane::BoundPorts> MediaPlane::bind_ports(const IpAddress& address, PortUse use) {
  const Time now = monotonic_now();
  for (std::size_t tries = ports_.free_count(); tries > 0; --tries) {
    const auto port = ports_.lend(now);
    if (!port) break;
    BoundPorts bound{*port, bind_udp({address, *port}, use)};
    if (bound.rtp_socket >= 0 && use == PortUse::kShared) return bound;
    if (bound.rtp_socket >= 0)
      bound.rtcp_socket = bind_udp({address, static_cast<std::uint16_t>(*port + 1)}, use);
    if (bound.rtcp_socket >= 0) return bound;
    const int reason = errno;
    if (bound.rtp_socket >= 0) ::close(bound.rtp_socket);
    ports_.take_back(*port, now);
    if (reason != EADDRINUSE)
      return Error{std::string("cannot open a media socket: ") + std::strerror(reason)};
  }
  return Error{"no media port is free (media.port-min, media.port-max)"};
}

Result<Endpoint> MediaPlane::bind_leg(BridgeId bridge, BridgePlace& place, LegSide side,
                                      AddressFamily family) {
  const auto address = bind_address(family);
  if (!address) return Error{address.error()};
  const auto bound = bind_ports(*address, PortUse::kOwn);
  if (!bound) return Error{bound.error()};
  const Endpoint said{said_address(*address), bound->port};
  place.legs[index_of(side)] = {.port = bound->port, .family = family, .local = said};
  owners_.insert_or_assign(bound->port, Owner{bridge, side});
  const auto ghost = ghosts_.find(bound->port);
  post(place.worker, AddLeg{bridge,
                            side,
                            bound->rtp_socket,
                            bound->rtcp_socket,
                            {*address, bound->port},
                            ghost == ghosts_.end() ? std::nullopt : std::optional(ghost->second)});
  return said;
}

// The port is taken when the first leg wants it, and kept.
Result<Endpoint> MediaPlane::share_leg(BridgeId bridge, BridgePlace& place, LegSide side,
                                       AddressFamily family) {
  auto& shared = shared_ports_[place.worker][static_cast<std::size_t>(family)];
  if (!shared) {
    const auto address = bind_address(family);
    if (!address) return Error{address.error()};
    const auto bound = bind_ports(*address, PortUse::kShared);
    if (!bound) return Error{bound.error()};
    shared = Endpoint{*address, bound->port};
    post(place.worker, SharePort{bound->rtp_socket, *shared});
  }
  const Endpoint said{said_address(shared->address), shared->port};
  place.legs[index_of(side)] = {.is_sharing = true, .family = family, .local = said};
  post(place.worker, JoinPort{bridge, side, family});
  return said;
}

bool MediaPlane::configure_leg(BridgeId bridge, LegSide side, const LegConfig& config) {
  BridgePlace& place = bridges_.at(bridge);
  if (!is_safe_far_end(place, side, config.far_rtp)) return false;
  LegPlace& leg = place.legs[index_of(side)];
  leg.far = config.far_rtp;
  LegConfig checked = config;
  if (checked.ice)
    std::erase_if(checked.ice->peers, [&](const auto& peer) { return !may_be_checked(peer.address); });
  if (leg.agent) direct_agent(leg, checked);
  post(place.worker, ConfigureLeg{bridge, side, std::move(checked)});
  return true;
}

void MediaPlane::await_dtls(BridgeId bridge, LegSide side) {
  post(bridges_.at(bridge).worker, AwaitDtls{bridge, side});
}

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
  agents_->take_plain(*leg.agent, config.far_rtp.address.family);
}

media::Ssrc MediaPlane::outgoing_ssrc(BridgeId bridge, LegSide side) const {
  return bridges_.at(bridge).ssrcs[index_of(side)];
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

void MediaPlane::note(MediaEvent& event) {
  match(
      event, [this](const BridgeClosed& closed) { forget(closed); },
      [&](ice::AgentEvent& said) { event = take(std::move(said)); },
      ignoring<std::monostate, MediaSilent, BridgeHeard, LegGathered, LegPathFound>);
}

MediaEvent MediaPlane::take(ice::AgentEvent&& event) {
  const ice::AgentId agent = std::visit([](const auto& each) { return each.agent; }, event);
  const auto owner = agent_owners_.find(agent);
  if (owner == agent_owners_.end()) {
    if (const auto* path = std::get_if<ice::PathFound>(&event)) ::close(path->socket);
    return {};
  }
  const Owner leg = owner->second;
  return match(
      std::move(event), [&](ice::Gathered&& gathered) { return take_candidates(leg, std::move(gathered)); },
      [&](ice::PathFound&& path) { return take_path(leg, std::move(path)); },
      [&](const ice::PathLost& lost) { return lose_path(leg, lost.agent); });
}

MediaEvent MediaPlane::take_candidates(const Owner& owner, ice::Gathered&& gathered) {
  LegPlace& leg = bridges_.at(owner.bridge).legs[index_of(owner.side)];
  const auto local = ice::default_address(gathered.candidates, leg.family);
  leg.local = local.value_or(Endpoint());
  return LegGathered{owner.bridge, owner.side, local, std::move(gathered.candidates)};
}

MediaEvent MediaPlane::take_path(const Owner& owner, ice::PathFound&& path) {
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

bool MediaPlane::is_own_address(const IpAddress& named) const {
  const IpAddress address = wrapped_ipv4(named).value_or(named);
  if (config_.peers && config_.peers->is_own(address)) return true;
  if (std::find(config_.also_ours.begin(), config_.also_ours.end(), address) != config_.also_ours.end())
    return true;
  return address == config_.bind_ipv4 || address == config_.advertised_ipv4 || address == config_.bind_ipv6 ||
         (config_.bind_ipv4.is_unspecified() && address.is_loopback());
}

std::optional<MediaPlane::Owner> MediaPlane::owner_of(const Endpoint& endpoint) const {
  if (!is_own_address(endpoint.address)) return {};
  const auto owner = owners_.find(static_cast<std::uint16_t>(endpoint.port & ~1));
  if (owner == owners_.end()) return {};
  return owner->second;
}

// A far end that is a port of ours is a call between two of our calls: fine while each bridge has one such
// leg at most, for a loop would need two in every bridge that it goes through.
bool MediaPlane::is_safe_far_end(const BridgePlace& place, LegSide side, const Endpoint& far) const {
  if (!is_in_range(far.port) || !is_own_address(far.address)) return true;
  const auto owner = owner_of(far);
  if (!owner) return false;  // a port of the range that no call holds will be another call's next
  const BridgePlace& far_place = bridges_.at(owner->bridge);
  if (&far_place == &place) return false;
  const LegPlace& far_leg = far_place.legs[index_of(owner->side)];
  const LegPlace& leg = place.legs[index_of(side)];
  const bool is_mutual =
      !far_leg.far.is_set() || (far_leg.far.port == leg.local.port && is_own_address(far_leg.far.address));
  const bool other_leg_is_ours = owner_of(place.legs[index_of(other(side))].far).has_value();
  return is_mutual && !other_leg_is_ours;
}

void MediaPlane::start(BridgeId bridge) { post(bridges_.at(bridge).worker, StartBridge{bridge}); }

void MediaPlane::ask_heard(BridgeId bridge) { post(bridges_.at(bridge).worker, AskHeard{bridge}); }

void MediaPlane::close(BridgeId bridge) {
  BridgePlace& place = bridges_.at(bridge);
  for (LegPlace& leg : place.legs) close_agents(leg);
  post(place.worker, CloseBridge{bridge});
}

void MediaPlane::give_back_port(LegPlace& leg) {
  if (leg.port == 0) return;
  owners_.erase(leg.port);
  ports_.take_back(std::exchange(leg.port, std::uint16_t{0}), monotonic_now());
}

void MediaPlane::forget(const BridgeClosed& closed) {
  const auto place = bridges_.find(closed.bridge);
  if (place == bridges_.end()) return;
  for (const LegSide side : {LegSide::kA, LegSide::kB}) {
    LegPlace& leg = place->second.legs[index_of(side)];
    const auto& heard = closed.legs[index_of(side)].heard;
    if (leg.port != 0 && heard) ghosts_.insert_or_assign(leg.port, *heard);
    give_back_port(leg);
  }
  --load_[place->second.worker];
  bridges_.erase(place);
}

// A worker empties its inbox many times a second; one that is 16,384 commands behind is overloaded, and
// commands of calls that are up must not be lost: control waits for it.
void MediaPlane::post(std::size_t worker, WorkerCommand command) {
  while (!workers_[worker]->post(std::move(command))) std::this_thread::yield();
}

}  // namespace vas::bridge
