#include "bridge/worker/fast_path.h"

#include <sys/ioctl.h>

#include <algorithm>

#include "bridge/leg/relay_address.h"

namespace vas::bridge {
namespace {

// Datagrams that wait there would be overtaken by those that the kernel relays.
bool has_unread(int socket) {
  int bytes = 0;
  return ioctl(socket, FIONREAD, &bytes) == 0 && bytes > 0;
}

}  // namespace

const NextHop* FastPath::next_hop_to(const IpAddress& to, Time now) {
  auto known = known_.find(to);
  if (known == known_.end()) {
    if (known_.size() >= kMaxNextHops)
      std::erase_if(known_, [&](const auto& each) { return now - each.second.asked_at > 2 * kAskAgain; });
    if (known_.size() >= kMaxNextHops) return nullptr;
    known = known_.emplace(to, KnownNextHop{}).first;
  }
  KnownNextHop& entry = known->second;
  const bool is_first = entry.asked_at == Time{};
  if ((is_first || now - entry.asked_at > kAskAgain) && kernel_.next_hops->ask(to, listener_))
    entry.asked_at = now;
  return entry.is_known ? &entry.hop : nullptr;
}

void FastPath::on_next_hop(const IpAddress& to, const NextHop& hop) {
  thread_check_.check();
  const auto known = known_.find(to);
  if (known == known_.end()) return;
  known->second.hop = hop;
  known->second.is_known = true;
}

// By loopback the kernel takes only what came by it, for the rest has a source address of ours there.
bool FastPath::choose_way(const Bridge& bridge, LegSide near, const std::array<FastDirection, 2>& directions,
                          Time now, relay_entry& entry) {
  const NextHop* back = next_hop_to(bridge.heard(near).address, now);
  const NextHop& onward = directions[index_of(near)].onward;
  if (back == nullptr || back->kind == NextHop::Kind::kNone || onward.kind == NextHop::Kind::kNone)
    return false;
  if (onward.kind == NextHop::Kind::kLocal && back->kind != NextHop::Kind::kLocal) return false;

  // A socket that is bound to every address uses the one that the next hop names.
  const Endpoint& near_local = directions[index_of(near)].local;
  const Endpoint& far_local = directions[index_of(other(near))].local;
  entry.near_local = to_relay(near_local.address.is_unspecified() ? back->source : near_local.address);
  entry.far_local = to_relay(far_local.address.is_unspecified() ? onward.source : far_local.address);
  entry.far_local_port = to_relay(far_local.port);
  entry.egress_ifindex = onward.ifindex;
  entry.destination_mac = onward.destination_mac;
  entry.source_mac = onward.source_mac;
  entry.leaves_by_driver = onward.is_in_driver ? 1 : 0;
  return true;
}

void FastPath::install(const Bridge& bridge, LegSide near, std::array<FastDirection, 2>& directions,
                       Time now) {
  FastDirection& direction = directions[index_of(near)];
  if (!direction.local.is_set() || !directions[index_of(other(near))].local.is_set()) return;
  relay_entry entry{};
  if (!bridge.describe_relay(near, now, entry) || !choose_way(bridge, near, directions, now, entry)) return;
  entry.may_overtake = has_unread(direction.socket) ? 1 : 0;
  if (entry.may_overtake != 0 && ++direction.waits < kLongestWait) return;
  direction.waits = 0;
  kernel_.relay->install(direction.local.port, entry);
  direction.is_in_kernel = true;
  direction.counted_packets = 0;
  ++in_kernel_;
}

void FastPath::tick(Bridge& bridge, LegSide near, std::array<FastDirection, 2>& directions, Time now) {
  thread_check_.check();
  if (kernel_.next_hops == nullptr) return;
  FastDirection& direction = directions[index_of(near)];
  if (!direction.is_in_kernel) {
    learn_next_hop(bridge, near, direction, now);
    if (kernel_.relay != nullptr && now >= direction.not_before) install(bridge, near, directions, now);
    return;
  }
  if (!follow_next_hop(direction, now)) {
    withdraw(bridge, near, direction);  // it goes in again by its new way
    return;
  }
  relay_entry entry;
  kernel_.relay->read(direction.local.port, entry);
  bridge.look_at(near, entry);
  count(direction, entry);
  if (now - direction.not_before > 2 * kLongestPause) direction.pause = {};
}

// For frames of user space, and for the direction to go into the kernel by.
void FastPath::learn_next_hop(const Bridge& bridge, LegSide near, FastDirection& direction, Time now) {
  direction.far = bridge.party(other(near));
  const NextHop* onward = direction.far.is_set() ? next_hop_to(direction.far.address, now) : nullptr;
  direction.onward = onward != nullptr ? *onward : NextHop{};
}

// False when the way leads by another interface now.
bool FastPath::follow_next_hop(FastDirection& direction, Time now) {
  const NextHop* onward = next_hop_to(direction.far.address, now);
  if (onward == nullptr || *onward == direction.onward) return true;
  const bool is_same_way = onward->ifindex == direction.onward.ifindex &&
                           onward->kind == direction.onward.kind && onward->source == direction.onward.source;
  if (!is_same_way) return false;
  direction.onward = *onward;
  kernel_.relay->set_hop(direction.local.port, onward->destination_mac, onward->source_mac);
  return true;
}

void FastPath::count(FastDirection& direction, const relay_entry& entry) {
  packets_ += entry.sent_packets - direction.counted_packets;
  direction.counted_packets = entry.sent_packets;
}

bool FastPath::withdraw(Bridge& bridge, LegSide near, FastDirection& direction) {
  thread_check_.check();
  if (!direction.is_in_kernel) return false;
  relay_entry entry;
  kernel_.relay->withdraw(direction.local.port, entry);
  bridge.resume(near, entry);
  count(direction, entry);
  direction.is_in_kernel = false;
  --in_kernel_;
  return true;
}

bool FastPath::is_straggler(const FastDirection& direction, Bytes datagram, Time now) const {
  const auto packet = media::RtpPacket::parse(datagram);
  if (!packet) return false;
  relay_entry entry;
  kernel_.relay->read(direction.local.port, entry);
  if (entry.may_overtake == 0) return false;  // nothing was passed by: it is late, like any other
  const std::uint8_t format = entry.format_of[packet->payload_type().value];
  if (format >= kRelayFormats) return false;
  const rtp_arrival arrival{.at_ns = media::nanoseconds(now),
                            .tick_length_q10 = entry.formats[format].tick_length_q10,
                            .ssrc = packet->ssrc().value,
                            .timestamp = packet->timestamp().value,
                            .bytes = 0,
                            .number = packet->sequence_number().value};
  const rtp_judgement judged = rtp_judge(&entry.receive, &arrival);
  return judged.place == kRtpGoesOn && judged.number < entry.receive.highest;
}

void FastPath::on_unusual(Bridge& bridge, LegSide near, FastDirection& direction, Time now) {
  if (!withdraw(bridge, near, direction)) return;
  direction.pause = std::clamp(2 * direction.pause, kShortestPause, kLongestPause);
  direction.not_before = now + direction.pause;
}

}  // namespace vas::bridge
