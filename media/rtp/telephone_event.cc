#include "media/rtp/telephone_event.h"

#include <algorithm>

namespace vas::media {
namespace {

// RFC 4733 §2.3.
constexpr std::size_t kEventBytes = 4;
// Behind the event and its flags (RFC 4733 §2.3).
constexpr std::size_t kDurationAt = 2;
// The longest that a duration of 16 bits says; a longer press goes on in segments.
constexpr std::uint32_t kFull = 0xffff;

bool is_behind(SequenceNumber number, SequenceNumber newest) {
  return static_cast<std::int16_t>(static_cast<std::uint16_t>(number.value - newest.value)) < 0;
}

}  // namespace

std::optional<TelephoneEvent> TelephoneEvent::parse(const RtpPacket& packet) {
  const Bytes payload = packet.payload();
  if (payload.size() < kEventBytes) return {};
  return TelephoneEvent{payload[0], (payload[1] & 0x80) != 0, load_u16(payload, kDurationAt)};
}

bool continues_press(RtpTimestamp segment, std::uint16_t duration, RtpTimestamp next) {
  const std::uint32_t step = next.value - segment.value;
  return step == kFull || (step != 0 && step == duration);
}

void TelephoneEventCounter::on_event(const RtpPacket& packet) {
  const auto event = TelephoneEvent::parse(packet);
  if (event && !is_known(packet, *event)) begin(packet, *event);
}

// A late packet is its press's, whichever came since; a new one can only be of the newest press.
bool TelephoneEventCounter::is_known(const RtpPacket& packet, const TelephoneEvent& event) {
  const SequenceNumber number = packet.sequence_number();
  for (std::size_t i = 0; i < press_count_; ++i) {
    const Press& press = presses_[i];
    if (press.ssrc != packet.ssrc() || press.code != event.code) continue;
    const std::uint32_t age = packet.timestamp().value - press.first.value;
    const bool is_of_its_time = age <= press.timestamp.value - press.first.value;
    const Press& newest = presses_[0];
    const bool is_late = is_behind(number, press.newest) ||
                         (i != 0 && newest.ssrc == packet.ssrc() && is_behind(number, newest.newest));
    if (is_late && is_of_its_time) return true;
  }
  return press_count_ != 0 && goes_on(presses_[0], packet, event);
}

bool TelephoneEventCounter::goes_on(Press& press, const RtpPacket& packet, const TelephoneEvent& event) {
  if (press.ssrc != packet.ssrc() || press.code != event.code) return false;
  const bool is_same = press.timestamp == packet.timestamp();
  const bool is_again = press.is_ended && !event.is_end;  // nothing but a repeated end follows an end
  const bool is_next_segment =
      !press.is_ended && continues_press(press.timestamp, press.duration, packet.timestamp());
  if (!is_next_segment && (!is_same || is_again)) return false;
  press.timestamp = packet.timestamp();
  press.newest = packet.sequence_number();
  press.duration = event.duration;
  press.is_ended = event.is_end;
  return true;
}

void TelephoneEventCounter::begin(const RtpPacket& packet, const TelephoneEvent& event) {
  press_count_ = std::min(press_count_ + 1, kMaxPresses);
  std::copy_backward(presses_.begin(), presses_.end() - 1, presses_.end());
  presses_[0] = {.ssrc = packet.ssrc(),
                 .first = packet.timestamp(),
                 .timestamp = packet.timestamp(),
                 .code = event.code,
                 .newest = packet.sequence_number(),
                 .duration = event.duration,
                 .is_ended = event.is_end};
  ++count_;
}

TelephoneEventScaler::Scaled TelephoneEventScaler::scale(const RtpPacket& packet, const TelephoneEvent& event,
                                                         std::uint32_t from_clock_rate,
                                                         std::uint32_t to_clock_rate) {
  const bool is_same_key = has_press_ && ssrc_ == packet.ssrc() && code_ == event.code;
  const bool is_same_segment = is_same_key && segment_ == packet.timestamp();
  const bool goes_on = is_same_key && !is_ended_ && continues_press(segment_, duration_, packet.timestamp());
  if (goes_on) {
    ended_ticks_ += packet.timestamp().value - segment_.value;
  } else if (!is_same_segment) {
    press_ = packet.timestamp();
    ended_ticks_ = 0;
  }
  has_press_ = true;
  ssrc_ = packet.ssrc();
  code_ = event.code;
  segment_ = packet.timestamp();
  duration_ = event.duration;
  is_ended_ = event.is_end;

  const std::uint64_t all = std::uint64_t{ended_ticks_} + event.duration;
  const std::uint64_t rounded = (all * to_clock_rate + from_clock_rate / 2) / from_clock_rate;
  const std::uint64_t scaled = std::max<std::uint64_t>(rounded, all != 0 ? 1 : 0);
  const std::uint64_t full_segments = scaled == 0 ? 0 : (scaled - 1) / kFull;
  return {press_, static_cast<std::uint32_t>(full_segments * kFull),
          static_cast<std::uint16_t>(scaled - full_segments * kFull)};
}

void rewrite_event_duration(MutableBytes datagram, const RtpPacket& packet, std::uint16_t duration) {
  const auto payload_at = static_cast<std::size_t>(packet.payload().data() - datagram.data());
  store_u16(datagram, payload_at + kDurationAt, duration);
}

}  // namespace vas::media
