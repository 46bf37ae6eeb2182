#include "bridge/worker/media_worker.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>

#include "base/capabilities.h"
#include "base/clock.h"
#include "base/log.h"
#include "media/rtp/packet_kind.h"

namespace vas::bridge {
namespace {

// Timers of media are coarse: consent, reports and silence are seconds.
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
  // The media plane has tried the same kind before;
  // what is left is a limit that this worker is the one to meet.
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
  thread_check_.check();
  inbox_.drain([this](WorkerCommand&& command) { handle(std::move(command)); }, 256);
  pulse_.confirm();
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

// A check proves who sent it, not from where, until ours comes back; and ours has a response from any leg of
// ours whose password its party gave away. So none is heard from a media port of ours: nothing loops. From
// elsewhere nothing but what holds the session's password responds, whatever the address is.
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
    fast_path_.withdraw(entry.bridge, other(place.side), back);
  if (outbox_.size() == 0) return;
  counters_.user_packets.store(counters_.user_packets.load(std::memory_order_relaxed) + 1,
                               std::memory_order_relaxed);
  send_onward(entry, place.side, ttl_);
}

void MediaWorker::send(Entry& entry) {
  for (const Outgoing& datagram : outbox_) send(entry, datagram, 0);
  outbox_.clear();
}

// What goes on to the other party has less time to live than it came with; what we respond has its own.
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
      !FrameSender::accepts(direction.onward, datagram.bytes)) {
    return false;
  }
  Endpoint from = entry.directions[index_of(datagram.side)].local;
  if (from.address.is_unspecified()) from.address = direction.onward.source;
  frames_->add(direction.onward, from, datagram.to, ttl, datagram.bytes);
  return true;
}

void MediaWorker::tick() {
  thread_check_.check();
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
  if (next_slice_ == 0) collect_shared_overrun();
}

void MediaWorker::tick(Entry& entry, Time now, WallTime wall) {
  for (const LegSide near : {LegSide::kA, LegSide::kB})
    fast_path_.tick(entry.bridge, near, entry.directions, now);
  if (entry.ticks++ % kTicksPerLook == 0) collect_overrun(entry);
  collect_over_limit(entry);
  entry.bridge.tick(now, wall, outbox_);
  send(entry);
  const bool is_silent = entry.bridge.is_silent(now);
  if (is_silent && !entry.reported_silent) publish(MediaSilent{entry.id});
  entry.reported_silent = is_silent;
}

void MediaWorker::collect_overrun(Entry& entry) {
  for (const LegSide side : {LegSide::kA, LegSide::kB}) {
    const auto& rtp = entry.sockets[index_of(side)][0];
    if (!rtp || sockets_[*rtp].shared != nullptr) continue;
    const std::uint32_t all = dropped_by_kernel(sockets_[*rtp].descriptor);
    const std::uint32_t fresh = all - std::exchange(entry.seen_overrun[index_of(side)], all);
    if (fresh != 0) count_overrun(entry, side, fresh);
  }
}

// Whose datagrams they were is not known.
void MediaWorker::collect_shared_overrun() {
  for (const auto& port : shared_ports_) {
    if (!port) continue;
    const std::uint32_t all = dropped_by_kernel(sockets_[port->id].descriptor);
    counters_.overrun.fetch_add(all - std::exchange(port->seen_overrun, all), std::memory_order_relaxed);
  }
}

void MediaWorker::collect_over_limit(Entry& entry) {
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

void MediaWorker::on_next_hop(const IpAddress& to, const NextHop& hop) {
  // A full inbox loses nothing for good: the next hop is asked for again.
  inbox_.push(NextHopChanged{to, hop});
}

// Before anything that changes what is relayed.
void MediaWorker::leave_fast_path(Entry& entry) {
  for (const LegSide near : {LegSide::kA, LegSide::kB})
    fast_path_.withdraw(entry.bridge, near, entry.directions[index_of(near)]);
}

}  // namespace vas::bridge
