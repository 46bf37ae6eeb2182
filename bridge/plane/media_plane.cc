#include "bridge/plane/media_plane.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/random.h"
#include "bridge/plane/media_socket.h"

namespace vas::bridge {
namespace {

StreamSeed random_seed() {
  const std::uint64_t bits = random_u64();
  // The timestamp stays clear of a wrap for the first minutes, as some phones mind; and the sequence number,
  // so that one lost packet at the start does not put the SRTP peer into another round (RFC 3711 §3.3.1).
  return {
      {random_u32()}, {static_cast<std::uint16_t>(bits & 0x7fff)}, {static_cast<std::uint32_t>(bits >> 33)}};
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
                                                          {plane->kernel_.get(), plane->next_hops_.get()},
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
  if (next_hops_) next_hops_->stop();  // it speaks to the workers, and they to it
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
  auto next_hops = NextHopKeeper::open(kernel_.get());
  if (next_hops) {
    next_hops_ = std::move(*next_hops);
  } else {
    description_ += "; neither, for there is " + next_hops.error();
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
  if (next_hops_) all.push_back({"routes", &next_hops_->pulse(), [this](Time now) { next_hops_->ask(now); }});
  all.push_back({"ice", &agents_pulse_, {}});
  return all;
}

std::size_t MediaPlane::least_loaded_worker() const {
  return static_cast<std::size_t>(std::min_element(load_.begin(), load_.end()) - load_.begin());
}

BridgeId MediaPlane::open_bridge() {
  thread_check_.check();
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
  thread_check_.check();
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
    ports_.give_back(*port, now);
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
  thread_check_.check();
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
  thread_check_.check();
  post(bridges_.at(bridge).worker, AwaitDtls{bridge, side});
}

media::Ssrc MediaPlane::outgoing_ssrc(BridgeId bridge, LegSide side) const {
  return bridges_.at(bridge).ssrcs[index_of(side)];
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

void MediaPlane::start(BridgeId bridge) {
  thread_check_.check();
  post(bridges_.at(bridge).worker, StartBridge{bridge});
}

void MediaPlane::ask_heard(BridgeId bridge) {
  thread_check_.check();
  post(bridges_.at(bridge).worker, AskHeard{bridge});
}

void MediaPlane::close(BridgeId bridge) {
  thread_check_.check();
  BridgePlace& place = bridges_.at(bridge);
  for (LegPlace& leg : place.legs) close_agents(leg);
  post(place.worker, CloseBridge{bridge});
}

void MediaPlane::give_back_port(LegPlace& leg) {
  if (leg.port == 0) return;
  owners_.erase(leg.port);
  ports_.give_back(std::exchange(leg.port, std::uint16_t{0}), monotonic_now());
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
