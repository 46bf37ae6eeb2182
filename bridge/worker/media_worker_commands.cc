// What control has a worker do.
#include <unistd.h>

#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/match.h"
#include "bridge/worker/media_worker.h"
#include "media/rtp/packet_kind.h"

namespace vas::bridge {

void MediaWorker::handle(WorkerCommand&& command) {
  match(
      std::move(command), ignoring<std::monostate>,  // it woke the loop
      [this](const OpenBridge& each) { open(each); }, [this](const AddLeg& each) { add_leg(each); },
      [this](const SharePort& each) { share_port(each); }, [this](const JoinPort& each) { join_port(each); },
      [this](AdoptSocket&& each) { adopt(std::move(each)); },
      [this](const LosePath& each) { lose_path(each); }, [this](const AwaitDtls& each) { await_dtls(each); },
      [this](const ConfigureLeg& each) { configure(each); }, [this](const StartBridge& each) { start(each); },
      [this](const AskHeard& each) { tell_heard(each); }, [this](const CloseBridge& each) { close(each); },
      [this](const NextHopChanged& each) { fast_path_.on_next_hop(each.to, each.hop); });
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
  entry.bridge.adopt_path(command.side, path.to, path.peer, path.is_pipe, monotonic_now());
  for (std::vector<std::uint8_t>& early : path.early) {
    // A handshake goes on where it was; media is not worth a delay.
    if (media::packet_kind(early) != media::PacketKind::kDtls) continue;
    on_datagram(rtp, path.to, 0, {MutableBytes(early), early.size()});
    io_->flush();
  }
}

void MediaWorker::lose_path(const LosePath& command) {
  if (Entry* entry = find(command.bridge)) entry->bridge.lose_path(command.side);
}

void MediaWorker::await_dtls(const AwaitDtls& command) {
  if (Entry* entry = find(command.bridge)) entry->bridge.await_dtls(command.side);
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
  while (entry.bridge.respond_to_early_hello(command.side, now, outbox_)) send(entry);
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
  collect_over_limit(entry);
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
  collect_overrun(entry);
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
