#include "bridge/relay/bridge.h"

#include <algorithm>

#include "media/rtp/packet_kind.h"

namespace vas::bridge {
Bridge::Bridge(Duration media_timeout, Time now, const std::array<StreamSeed, 2>& seeds,
               const SecureSetup& setup)
    : media_timeout_(media_timeout),
      legs_{Leg(seeds[0], setup), Leg(seeds[1], setup)},
      own_rtcp_at_{now, now},
      silence_since_(now) {}

void Bridge::configure(LegSide side, const LegConfig& config, Time now) {
  thread_check_.check();
  const bool was_on_hold = is_on_hold();
  leg(side).configure(config);
  if (was_on_hold && !is_on_hold()) silence_since_ = now;
}

void Bridge::adopt_path(LegSide side, const Endpoint& to, const Endpoint& peer, bool is_pipe, Time now) {
  thread_check_.check();
  leg(side).path().adopt_path(now, to, peer, is_pipe);
}

void Bridge::lose_path(LegSide side) {
  thread_check_.check();
  leg(side).path().lose();
}

void Bridge::start(Time now) {
  thread_check_.check();
  is_started_ = true;
  silence_since_ = now;
}

bool Bridge::is_on_hold() const {
  return std::any_of(legs_.begin(), legs_.end(), [](const Leg& each) {
    return each.is_configured() && !(each.config().sends && each.config().receives);
  });
}

bool Bridge::is_silent(Time now) const {
  if (!is_started_ || is_on_hold()) return false;
  return now - last_heard_at() >= media_timeout_;
}

Time Bridge::last_heard_at() const {
  return std::max({silence_since_, legs_[0].last_heard_at(), legs_[1].last_heard_at()});
}

void Bridge::on_datagram(LegSide side, Component component, const Endpoint& source,
                         media::PacketBuffer datagram, Time now, Outbox& outbox) {
  switch (media::packet_kind(datagram.bytes())) {
    case media::PacketKind::kRtp:
      if (component == Component::kRtp) relay_rtp(side, source, datagram, now, outbox);
      return;
    case media::PacketKind::kRtcp:
      if (component == Component::kRtcp || leg(side).config().rtcp_mux)
        relay_rtcp(side, source, datagram, now, outbox);
      return;
    case media::PacketKind::kStun:
      return respond_to_check(side, component, source, datagram.bytes(), now, outbox);
    case media::PacketKind::kDtls: return shake_hands(side, component, source, datagram.bytes(), now, outbox);
    case media::PacketKind::kUnknown: leg(side).count_malformed(); return;
  }
}

void Bridge::respond_to_check(LegSide side, Component component, const Endpoint& source, Bytes datagram,
                              Time now, Outbox& outbox) {
  const auto response = leg(side).path().on_stun(now, source, datagram);
  if (!response) return leg(side).count_malformed();
  if (!response->empty()) outbox.add({side, component, source, *response});
}

void Bridge::shake_hands(LegSide side, Component component, const Endpoint& source, Bytes datagram, Time now,
                         Outbox& outbox) {
  Leg& near = leg(side);
  const auto from = near.dtls_source(now, component, source);
  if (!from && !near.path().awaits_dtls()) return near.count_malformed();
  const auto& flight = from ? near.path().on_dtls(now, component, source, *from, datagram)
                            : near.path().on_early_hello(now, component, source, datagram);
  for (const auto& each : flight) outbox.add({side, component, source, each});
}

bool Bridge::respond_to_early_hello(LegSide side, Time now, Outbox& outbox) {
  thread_check_.check();
  for (const Component component : {Component::kRtp, Component::kRtcp}) {
    const auto hello = leg(side).path().pop_early_hello(component);
    if (!hello) continue;
    const auto from = leg(side).dtls_source(now, component, hello->source);
    if (!from) return true;  // it is not the party's
    for (const auto& each : leg(side).path().respond_to_early_hello(now, component, *from, *hello))
      outbox.add({side, component, hello->source, each});
    return true;
  }
  return false;
}

void Bridge::shake_hands_on_time(LegSide side, Time now, Outbox& outbox) {
  Leg& party = leg(side);
  for (const Component component : {Component::kRtp, Component::kRtcp}) {
    const Endpoint to =
        component == Component::kRtp ? party.rtp_destination(now) : party.rtcp_destination(now);
    party.path().on_time(now, component, to,
                         [&](const Endpoint& whom, const media::DtlsSession::Flight& flight) {
                           for (const auto& each : flight) outbox.add({side, component, whom, each});
                         });
  }
}

void Bridge::relay_rtp(LegSide near_side, const Endpoint& source, media::PacketBuffer datagram, Time now,
                       Outbox& outbox) {
  Leg& near = leg(near_side);
  Leg& far = leg(other(near_side));
  if (!near.accepts_rtp_from(now, source) || !near.unprotect(datagram)) return;
  const auto packet = media::RtpPacket::parse(datagram.bytes());
  if (!packet) return near.count_malformed();
  const auto admitted = near.admit(now, *packet, datagram.size(), source);
  if (!admitted || !near.config().sends) return;

  const std::size_t plain_bytes = datagram.size();
  const Endpoint* to = far.rewrite_for_party(now, *packet, *admitted, datagram.bytes());
  if (to == nullptr || !far.protect(datagram)) return;
  far.on_sent(plain_bytes);
  outbox.add({other(near_side), Component::kRtp, *to, datagram.bytes()});
}

void Bridge::relay_rtcp(LegSide near_side, const Endpoint& source, media::PacketBuffer datagram, Time now,
                        Outbox& outbox) {
  Leg& near = leg(near_side);
  Leg& far = leg(other(near_side));
  if (!near.accepts_rtcp_from(now, source) || !near.unprotect_rtcp(datagram) ||
      !near.admit_rtcp(now, datagram.bytes(), source) || !rtcp_budgets_[index_of(near_side)].draw(now))
    return;

  // What passes is packed to the front of the datagram: reports and names, a report first (RFC 3550 §6.1).
  // BYE ends no call, and feedback that we do not translate would name streams that the far party never saw.
  const MutableBytes all = datagram.bytes();
  MutableBytes rest = all;
  std::size_t kept = 0;
  while (auto packet = media::next_rtcp(rest)) {
    if (media::is_padded(*packet) && !rest.empty()) break;  // padding is the end (RFC 3550 §6.4.1)
    if (media::is_report(*packet)) near.on_party_report(now, *packet);
    if (!translate(*packet, near, far, now)) continue;
    if (kept == 0 && !media::is_report(*packet)) continue;
    std::copy(packet->bytes.begin(), packet->bytes.end(), all.begin() + static_cast<std::ptrdiff_t>(kept));
    kept += packet->bytes.size();
  }
  const Endpoint to = far.rtcp_destination(now);
  if (kept == 0 || !far.is_configured() || !to.is_set()) return;
  datagram.resize(kept);
  if (!far.protect_rtcp(datagram)) return;
  const Component component = far.config().rtcp_mux ? Component::kRtp : Component::kRtcp;
  outbox.add({other(near_side), component, to, datagram.bytes()});
}

// Makes one packet of `near`'s party speak of the streams that `far`'s party knows. False when it is not to
// pass. A sender report of a stream that does not play there is a receiver report for the rest that it says.
bool Bridge::translate(media::RtcpView& packet, const Leg& near, Leg& far, Time now) {
  switch (packet.type) {
    case media::RtcpType::kSenderReport:
    case media::RtcpType::kReceiverReport:
      if (!media::is_whole_report(packet)) return false;
      if (packet.type == media::RtcpType::kSenderReport && !translate_sender(packet, far, now))
        media::make_receiver_report(packet);
      translate_blocks(packet, near);
      break;
    case media::RtcpType::kSdes:
      if (!media::is_whole_sdes(packet)) return false;
      break;
    case media::RtcpType::kBye:
    case media::RtcpType::kApp:
    default: return false;
  }
  store_u32(packet.bytes, 4, far.outgoing_ssrc().value);
  return true;
}

bool Bridge::translate_sender(const media::RtcpView& packet, Leg& far, Time now) {
  const MutableBytes bytes = packet.bytes;
  const auto timestamp = far.splicer().translate_timestamp({load_u32(bytes, 4)}, {load_u32(bytes, 16)});
  if (!timestamp) return false;
  store_u32(bytes, 16, timestamp->value);
  far.on_report_sent(now, load_u32(bytes, 10));
  return true;
}

void Bridge::translate_blocks(const media::RtcpView& packet, const Leg& near) {
  const auto far_stream = near.splicer().current();
  const MutableBytes blocks = media::report_blocks(packet);
  for (std::size_t at = 0; at + media::kReportBlockBytes <= blocks.size(); at += media::kReportBlockBytes) {
    const MutableBytes block = blocks.subspan(at, media::kReportBlockBytes);
    if (media::Ssrc{load_u32(block, 0)} != near.outgoing_ssrc() || !far_stream) continue;
    store_u32(block, 0, far_stream->value);
    store_u32(block, 8, near.splicer().untranslate_sequence(load_u32(block, 8)));
  }
}

bool Bridge::describe_relay(LegSide near, Time now, relay_entry& entry) const {
  return is_started_ && !is_on_hold() && leg(near).describe_near(now, entry) &&
         leg(other(near)).describe_far(leg(near), entry);
}

void Bridge::look_at(LegSide near, const relay_entry& entry) {
  thread_check_.check();
  leg(near).look_near(entry);
  leg(other(near)).look_far(entry);
}

void Bridge::resume(LegSide near, const relay_entry& entry) {
  thread_check_.check();
  look_at(near, entry);
  leg(near).end_near();
  leg(other(near)).end_far();
}

void Bridge::tick(Time now, WallTime wall_now, Outbox& outbox) {
  thread_check_.check();
  for (const LegSide side : {LegSide::kA, LegSide::kB}) {
    if (const auto check = leg(side).path().check_on_time(now))
      outbox.add({side, Component::kRtp, check->to, check->message});
    shake_hands_on_time(side, now, outbox);
    const Leg& silent = leg(other(side));
    const Time quiet_since = std::max(silent.last_rtcp_at(), silence_since_);
    const bool is_due = is_started_ && now - quiet_since >= kRtcpSilence &&
                        now - own_rtcp_at_[index_of(side)] >= kRtcpInterval;
    if (is_due) send_own_rtcp(side, now, wall_now, outbox);
  }
}

void Bridge::send_own_rtcp(LegSide side, Time now, WallTime wall_now, Outbox& outbox) {
  Leg& party = leg(side);
  const Endpoint to = party.rtcp_destination(now);
  if (!party.is_configured() || !to.is_set()) return;

  const auto sender = party.sender_info(now, wall_now);
  const auto block = party.receive_stats().pop_report();
  auto& buffer = own_rtcp_[index_of(side)];
  const MutableBytes report = MutableBytes(buffer).first(buffer.size() - media::kSrtpMaxRoom);
  const std::size_t bytes = media::write_report(report, party.outgoing_ssrc(), sender ? &*sender : nullptr,
                                                block ? &*block : nullptr, media::kCname);
  if (sender) party.on_report_sent(now, media::ntp_middle(wall_now));
  own_rtcp_at_[index_of(side)] = now;
  const Component component = party.config().rtcp_mux ? Component::kRtp : Component::kRtcp;
  media::PacketBuffer packet{MutableBytes(buffer), bytes};
  if (party.protect_rtcp(packet)) outbox.add({side, component, to, packet.bytes()});
}

}  // namespace vas::bridge
