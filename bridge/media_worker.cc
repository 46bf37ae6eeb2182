#include "bridge/media_worker.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>

#include "media/packet_kind.h"
#include "vas/base/capabilities.h"
#include "vas/base/clock.h"
#include "vas/base/log.h"

namespace vas::bridge {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(250);
constexpr unsigned kTicksPerLook = 4;  // at the sockets' losses: a system call each

}  // namespace

MediaWorker::MediaWorker(const Config& config, Inbox<MediaEvent>& events)
    : config_(config), events_(events), fast_path_(config.kernel, *this), io_kind_(config.io) {
  if (config.sends_frames) {
    if (auto frames = FrameSender::open()) frames_ = std::move(*frames);
  }
  std::promise<void> has_io;
  thread_ = std::thread([this, &has_io] { run(has_io); });
  pthread_setname_np(thread_.native_handle(), "vas-media");
  has_io.get_future().wait();
}

MediaWorker::~MediaWorker() {
  is_stopping_ = true;
  inbox_.push(WorkerCommand{});  // wakes the loop; if the inbox is full it is awake anyway
  thread_.join();
  for (const Socket& socket : sockets_) {
    if (socket.descriptor >= 0) ::close(socket.descriptor);
  }
}

void MediaWorker::run(std::promise<void>& has_io) {
  keep_capabilities({});  // its sockets are made for it
  std::string why_not;
  auto io = make_packet_io(io_kind_, inbox_.descriptor(), why_not);
  // The media plane has tried the same kind before; what is left is a limit that this worker is the one to
  // meet.
  if (!io) {
    log::error("", "a media worker falls back to epoll: {}", io.error());
    io = make_packet_io(PacketIoKind::kEpoll, inbox_.descriptor(), why_not);
  }
  io_ = std::move(*io);
  has_io.set_value();
  while (!is_stopping_) {
    const Duration left = std::clamp(next_tick_ - monotonic_now(), Duration::zero(), kTick);
    io_->turn(left, *this);
    if (frames_) frames_->flush();
    if (monotonic_now() < next_tick_) continue;
    io_->flush();  // a direction that goes into the kernel now overtakes nothing
    tick();
  }
  while (inbox_.has_news()) on_woken();  // sockets that were handed over last are to be closed too
  for (auto& [id, entry] : bridges_) leave_fast_path(*entry);
  io_.reset();  // on the thread that made it
}

void MediaWorker::on_woken() {
  inbox_.drain([this](WorkerCommand&& command) { handle(std::move(command)); }, 256);
  pulse_.answer();
}

void MediaWorker::on_datagram(SocketId id, const Endpoint& source, Ttl ttl, media::PacketBuffer datagram) {
  const Socket& socket = sockets_[id];
  ttl_ = ttl;
  if (media::packet_kind(datagram.bytes()) == media::PacketKind::kStun && !may_check(source)) return;
  if (socket.shared != nullptr) return on_shared_datagram(*socket.shared, source, datagram);
  if (socket.entry == nullptr) return;
  relay({socket.entry, socket.side}, socket.component, source, datagram, monotonic_now());
}

void MediaWorker::on_oversized(SocketId id, const Endpoint& source) {
  counters_.oversized.fetch_add(1, std::memory_order_relaxed);
  const Socket& socket = sockets_[id];
  if (socket.entry != nullptr) return socket.entry->bridge.count_oversized(socket.side);
  auto* const holder = socket.shared != nullptr ? socket.shared->demux.at(source) : nullptr;
  if (holder != nullptr) holder->leg().entry->bridge.count_oversized(holder->leg().side);
}

// A check proves who sent it, not from where, until ours comes back; and ours is answered by any leg of ours
// whose password its party gave away. So none is heard from a media port of ours: nothing loops. From
// elsewhere nothing but what holds the session's password answers, whatever the address is.
bool MediaWorker::may_check(const Endpoint& source) const {
  const bool may_be_ours = source.port >= config_.first_port && source.port <= config_.last_port;
  return !may_be_ours || config_.peers == nullptr || !config_.peers->is_own(source.address);
}

// A check is its leg's who knows the password. An address that one leg's party uses is nobody else's,
// whatever a check with a forged source says: its media would go to another call.
void MediaWorker::on_shared_datagram(SharedPort& port, const Endpoint& source, media::PacketBuffer datagram) {
  const Time now = monotonic_now();
  auto* const holder = port.demux.at(source);
  auto* member = holder;
  const bool is_stun = media::packet_kind(datagram.bytes()) == media::PacketKind::kStun;
  if (is_stun && !ice::is_binding_indication(datagram.bytes())) {
    const auto check = ice::StunMessage::parse(datagram.bytes());
    const auto ufrag = check ? ice::local_ufrag_of(*check) : std::nullopt;
    member = ufrag ? port.demux.named(*ufrag) : nullptr;
    const bool is_taken = holder != nullptr && holder != member &&
                          holder->leg().entry->bridge.is_in_use(holder->leg().side, source, now);
    if (is_taken) member = nullptr;
  }
  if (member == nullptr) {
    counters_.stray.store(counters_.stray.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return;
  }
  const Place& place = member->leg();
  relay(place, Component::kRtp, source, datagram, now);
  const auto is_proved = [&](const Endpoint& each) {
    return place.entry->bridge.is_proved(place.side, each, now);
  };
  if (is_stun && holder != member && is_proved(source)) member->hold(source, is_proved);
}

void MediaWorker::relay(const Place& place, Component component, const Endpoint& source,
                        media::PacketBuffer datagram, Time now) {
  Entry& entry = *place.entry;
  FastDirection& direction = entry.directions[index_of(place.side)];
  if (direction.is_in_kernel && component == Component::kRtp &&
      media::packet_kind(datagram.bytes()) == media::PacketKind::kRtp &&
      source == entry.bridge.heard(place.side)) {
    if (fast_path_.is_straggler(direction, datagram.bytes(), now)) return count_overrun(entry, place.side, 1);
    fast_path_.on_unusual(entry.bridge, place.side, direction, now);
  }
  entry.bridge.on_datagram(place.side, component, source, datagram, now, outbox_);

  // What the packet proved of its sender's address may be news to the other direction.
  FastDirection& back = entry.directions[index_of(other(place.side))];
  if (back.is_in_kernel && back.far != entry.bridge.party(place.side))
    fast_path_.take_back(entry.bridge, other(place.side), back);
  if (outbox_.size() == 0) return;
  counters_.user_packets.store(counters_.user_packets.load(std::memory_order_relaxed) + 1,
                               std::memory_order_relaxed);
  send_onward(entry, place.side, ttl_);
}

void MediaWorker::send(Entry& entry) {
  for (const Outgoing& datagram : outbox_) send(entry, datagram, 0);
  outbox_.clear();
}

// What goes on to the other party has less time to live than it came with; what is answered has its own.
void MediaWorker::send_onward(Entry& entry, LegSide near, Ttl ttl) {
  for (const Outgoing& datagram : outbox_) {
    if (datagram.side == near) {
      send(entry, datagram, 0);
    } else if (may_go_on(ttl)) {
      send(entry, datagram, ttl_onward(ttl));
    } else {
      entry.bridge.count_expired(near);
    }
  }
  outbox_.clear();
}

void MediaWorker::send(const Entry& entry, const Outgoing& datagram, Ttl ttl) {
  const auto& socket = entry.sockets[index_of(datagram.side)][static_cast<std::size_t>(datagram.component)];
  if (socket && !send_frame(entry, datagram, ttl)) io_->send(*socket, datagram.to, ttl, datagram.bytes);
}

bool MediaWorker::send_frame(const Entry& entry, const Outgoing& datagram, Ttl ttl) {
  const FastDirection& direction = entry.directions[index_of(other(datagram.side))];
  if (!frames_ || datagram.component != Component::kRtp || direction.far != datagram.to ||
      !FrameSender::takes(direction.onward, datagram.bytes)) {
    return false;
  }
  Endpoint from = entry.directions[index_of(datagram.side)].local;
  if (from.address.is_unspecified()) from.address = direction.onward.source;
  frames_->add(direction.onward, from, datagram.to, ttl, datagram.bytes);
  return true;
}

void MediaWorker::tick() {
  const Time now = monotonic_now();
  const WallTime wall = wall_now();
  next_tick_ = now;
  for (Entry* entry : slices_[next_slice_]) tick(*entry, now, wall);
  // Where there is nothing to do it is not woken for.
  do advance_slice();
  while (slices_[next_slice_].empty() && next_tick_ - now < kTick);
  fast_path_.keep_alive(now);
  counters_.fast_legs.store(fast_path_.in_kernel(), std::memory_order_relaxed);
  counters_.kernel_packets.store(fast_path_.packets(), std::memory_order_relaxed);
}

void MediaWorker::advance_slice() {
  next_tick_ += kTick / kSlices;
  next_slice_ = (next_slice_ + 1) % kSlices;
  if (next_slice_ == 0) note_shared_overrun();
}

void MediaWorker::tick(Entry& entry, Time now, WallTime wall) {
  for (const LegSide near : {LegSide::kA, LegSide::kB})
    fast_path_.tick(entry.bridge, near, entry.directions, now);
  if (entry.ticks++ % kTicksPerLook == 0) note_overrun(entry);
  note_over_limit(entry);
  entry.bridge.tick(now, wall, outbox_);
  send(entry);
  const bool is_silent = entry.bridge.is_silent(now);
  if (is_silent && !entry.reported_silent) publish(MediaSilent{entry.id});
  entry.reported_silent = is_silent;
}

void MediaWorker::note_overrun(Entry& entry) {
  for (const LegSide side : {LegSide::kA, LegSide::kB}) {
    const auto& rtp = entry.sockets[index_of(side)][0];
    if (!rtp || sockets_[*rtp].shared != nullptr) continue;
    const std::uint32_t all = dropped_by_kernel(sockets_[*rtp].descriptor);
    const std::uint32_t fresh = all - std::exchange(entry.seen_overrun[index_of(side)], all);
    if (fresh != 0) count_overrun(entry, side, fresh);
  }
}

// Whose datagrams they were is not known.
void MediaWorker::note_shared_overrun() {
  for (const auto& port : shared_ports_) {
    if (!port) continue;
    const std::uint32_t all = dropped_by_kernel(sockets_[port->id].descriptor);
    counters_.overrun.fetch_add(all - std::exchange(port->seen_overrun, all), std::memory_order_relaxed);
  }
}

void MediaWorker::note_over_limit(Entry& entry) {
  const std::uint64_t all = entry.bridge.over_limit();
  counters_.over_limit.fetch_add(all - std::exchange(entry.seen_over_limit, all), std::memory_order_relaxed);
}

void MediaWorker::count_overrun(Entry& entry, LegSide side, std::uint32_t datagrams) {
  entry.bridge.count_overrun(side, datagrams);
  counters_.overrun.fetch_add(datagrams, std::memory_order_relaxed);
}

// Control must not miss the end of a bridge: its ports and its record depend on it. The inbox has room for
// the events of as many bridges as there are ports.
void MediaWorker::publish(MediaEvent event) {
  while (!events_.push(std::move(event)) && !is_stopping_) std::this_thread::yield();
}

void MediaWorker::on_route(const IpAddress& to, const Route& route) {
  // A full inbox loses nothing for good: the route is asked for again.
  inbox_.push(RouteChanged{to, route});
}

// Before anything that changes what is relayed.
void MediaWorker::leave_fast_path(Entry& entry) {
  for (const LegSide near : {LegSide::kA, LegSide::kB})
    fast_path_.take_back(entry.bridge, near, entry.directions[index_of(near)]);
}

void MediaWorker::handle(WorkerCommand&& command) {
  if (const auto* opened = std::get_if<OpenBridge>(&command)) return open(*opened);
  if (const auto* added = std::get_if<AddLeg>(&command)) return add_leg(*added);
  if (const auto* shared = std::get_if<SharePort>(&command)) return share_port(*shared);
  if (const auto* joined = std::get_if<JoinPort>(&command)) return join_port(*joined);
  if (auto* adopted = std::get_if<AdoptSocket>(&command)) return adopt(std::move(*adopted));
  if (const auto* lost = std::get_if<LosePath>(&command)) {
    if (Entry* entry = find(lost->bridge)) entry->bridge.lose_path(lost->side);
    return;
  }
  if (const auto* awaited = std::get_if<AwaitDtls>(&command)) {
    if (Entry* entry = find(awaited->bridge)) entry->bridge.await_dtls(awaited->side);
    return;
  }
  if (const auto* configured = std::get_if<ConfigureLeg>(&command)) return configure(*configured);
  if (const auto* started = std::get_if<StartBridge>(&command)) return start(*started);
  if (const auto* asked = std::get_if<AskHeard>(&command)) return tell_heard(*asked);
  if (const auto* closed = std::get_if<CloseBridge>(&command)) return close(*closed);
  if (const auto* changed = std::get_if<RouteChanged>(&command))
    return fast_path_.on_route(changed->to, changed->route);
}

MediaWorker::Entry* MediaWorker::find(BridgeId bridge) {
  const auto found = bridges_.find(bridge.value);
  return found == bridges_.end() ? nullptr : found->second.get();
}

void MediaWorker::open(const OpenBridge& command) {
  SecureSetup secure = command.secure;
  secure.handshakes = {&handshakes_, &repeated_handshakes_};
  secure.strangers = &strangers_;
  secure.early_hellos = &early_hellos_;
  auto entry = std::make_unique<Entry>(
      Entry{.bridge = Bridge(command.media_timeout, monotonic_now(), command.seeds, secure),
            .id = command.bridge,
            .directions = {}});
  slices_[command.bridge.value % kSlices].push_back(entry.get());
  bridges_.emplace(command.bridge.value, std::move(entry));
}

void MediaWorker::add_leg(const AddLeg& command) {
  Entry* const found = find(command.bridge);
  VAS_CHECK(found != nullptr, "control adds legs to open bridges only");
  Entry& entry = *found;
  const std::size_t side = index_of(command.side);
  unwatch(entry, command.side);
  entry.directions[side].local = command.local;
  entry.directions[side].socket = command.rtp_socket;
  entry.bridge.expect_ghost(command.side, command.ghost);
  entry.sockets[side][0] = watch({&entry, command.side, Component::kRtp, command.rtp_socket});
  entry.sockets[side][1] = watch({&entry, command.side, Component::kRtcp, command.rtcp_socket});
}

void MediaWorker::share_port(const SharePort& command) {
  auto& port = shared_ports_[static_cast<std::size_t>(command.local.address.family)];
  VAS_CHECK(!port, "control shares one port of a family");
  port = std::make_unique<SharedPort>();
  port->local = command.local;
  port->id = watch({.descriptor = command.socket, .shared = port.get()}, kSharedAtOnce);
}

void MediaWorker::join_port(const JoinPort& command) {
  Entry* const found = find(command.bridge);
  VAS_CHECK(found != nullptr, "control adds legs to open bridges only");
  SharedPort& port = *shared_ports_[static_cast<std::size_t>(command.family)];
  Entry& entry = *found;
  const std::size_t side = index_of(command.side);
  unwatch(entry, command.side);
  entry.directions[side].local = port.local;
  entry.directions[side].socket = sockets_[port.id].descriptor;
  entry.sockets[side] = {port.id, std::nullopt};
  entry.shares[side] = port.demux.join({&entry, command.side});
}

void MediaWorker::adopt(AdoptSocket&& command) {
  ice::PathFound& path = command.path;
  Entry* const found = find(command.bridge);
  if (found == nullptr) {
    ::close(path.socket);
    return;
  }
  Entry& entry = *found;
  leave_fast_path(entry);
  unwatch(entry, command.side);
  const std::size_t side = index_of(command.side);
  entry.directions[side].local = path.local;
  entry.directions[side].socket = path.socket;
  const SocketId rtp = watch({&entry, command.side, Component::kRtp, path.socket});
  entry.sockets[side] = {rtp, std::nullopt};
  entry.bridge.take_over(command.side, path.to, path.peer, path.is_pipe, monotonic_now());
  for (std::vector<std::uint8_t>& early : path.early) {
    // A handshake goes on where it was; media is not worth a delay.
    if (media::packet_kind(early) != media::PacketKind::kDtls) continue;
    on_datagram(rtp, path.to, 0, {MutableBytes(early), early.size()});
    io_->flush();
  }
}

void MediaWorker::configure(const ConfigureLeg& command) {
  Entry* const found = find(command.bridge);
  if (found == nullptr) return;
  Entry& entry = *found;
  const Time now = monotonic_now();
  leave_fast_path(entry);
  entry.bridge.configure(command.side, command.config, now);
  const auto& member = entry.shares[index_of(command.side)];
  if (member && command.config.ice) member->name(command.config.ice->local.ufrag);
  while (entry.bridge.answer_early_hello(command.side, now, outbox_)) send(entry);
}

void MediaWorker::start(const StartBridge& command) {
  if (Entry* entry = find(command.bridge)) entry->bridge.start(monotonic_now());
}

void MediaWorker::tell_heard(const AskHeard& command) {
  if (Entry* entry = find(command.bridge))
    publish(BridgeHeard{command.bridge, entry->bridge.last_heard_at()});
}

void MediaWorker::close(const CloseBridge& command) {
  const auto found = bridges_.find(command.bridge.value);
  if (found == bridges_.end()) return;
  Entry& entry = *found->second;
  leave_fast_path(entry);
  note_over_limit(entry);
  for (const LegSide side : {LegSide::kA, LegSide::kB}) unwatch(entry, side);
  BridgeClosed closed{command.bridge, {entry.bridge.stats(LegSide::kA), entry.bridge.stats(LegSide::kB)}};
  std::erase(slices_[command.bridge.value % kSlices], &entry);
  bridges_.erase(found);
  publish(std::move(closed));
}

SocketId MediaWorker::watch(const Socket& socket, unsigned at_once) {
  if (free_sockets_.empty()) {
    free_sockets_.push_back(static_cast<SocketId>(sockets_.size()));
    sockets_.emplace_back();
  }
  const SocketId id = free_sockets_.back();
  free_sockets_.pop_back();
  sockets_[id] = socket;
  // A socket that cannot be watched (no memory) stays deaf: its call ends by the media timeout.
  (void)io_->add(id, socket.descriptor, at_once);
  return id;
}

void MediaWorker::unwatch(Entry& entry, LegSide side) {
  note_overrun(entry);
  entry.seen_overrun[index_of(side)] = 0;  // the next socket's begins there
  if (entry.shares[index_of(side)]) {
    entry.shares[index_of(side)].reset();
    entry.sockets[index_of(side)] = {};
    return;
  }
  for (auto& place : entry.sockets[index_of(side)]) {
    if (!place) continue;
    const SocketId id = *std::exchange(place, std::nullopt);
    io_->remove(id);
    ::close(sockets_[id].descriptor);
    sockets_[id] = {};
    free_sockets_.push_back(id);
  }
}

}  // namespace vas::bridge
