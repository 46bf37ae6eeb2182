#include "media/rtp/stream_splicer.h"

#include <algorithm>

namespace vas::media {
namespace {

// Nanoseconds. A seam is at least one frame long; beyond an hour its exact length means nothing.
constexpr std::int64_t kShortestSeam = 20'000'000;
constexpr std::int64_t kLongestSeam = 3'600'000'000'000;

// Seconds. Where its timestamps are the audio's a press began this long before the newest audio at most: its
// duration has 16 bits, and 8 s of 8000 Hz fill them (RFC 4733 §2.3.5). One that is to begin so much later
// than now has a line of its own.
constexpr std::int64_t kLongestPress = 10;
constexpr std::int64_t kEarliestPress = 1;
// Its packets come each 50 ms; its timestamp is another's when none came for so long.
constexpr Duration kPressIsOver = std::chrono::seconds(5);

int distance(std::uint16_t from, std::uint16_t to) {
  return static_cast<std::int16_t>(static_cast<std::uint16_t>(to - from));
}

}  // namespace

std::optional<Spliced> StreamSplicer::splice(Time now, const Incoming& packet) {
  const bool is_plain = packet.arrived == Arrived::kGoesOn && !packet.is_event && is_settled() &&
                        !is_on_probation_ && rtp_continues_segment(&state_, packet.ssrc.value);
  if (!is_plain) return splice_unusual(now, packet);
  std::uint32_t timestamp = packet.timestamp.value;
  const std::uint16_t number =
      rtp_splice(&state_, nanoseconds(now), packet.sequence_number.value, &timestamp);
  line_clock_rate_ = packet.clock_rate;
  return Spliced{{number}, {timestamp}, false};
}

std::optional<Spliced> StreamSplicer::splice_unusual(Time now, const Incoming& packet) {
  if (is_settled())
    newest_incoming_ = static_cast<std::uint16_t>(state_.newest_number - state_.number_offset);
  if (packet.arrived == Arrived::kAside && state_.has_stream) return lay_in(now, packet);
  const bool starts_segment = begins_segment(packet);
  is_on_probation_ = packet.arrived == Arrived::kOnProbation;
  if (packet.arrived == Arrived::kBeginsAnew) forget_presses(packet.ssrc);
  if (starts_segment) begin_segment(now, packet);
  const std::uint16_t number = packet.sequence_number.value;
  const auto placed = place(number);
  if (!placed) return {};
  if (distance(newest_incoming_, number) > 0) {
    newest_incoming_ = number;
    forget_changes();
  }
  const bool is_newest = distance(state_.newest_number, *placed) > 0;
  const RtpTimestamp timestamp = packet.is_event
                                     ? timestamp_of_press(now, packet)
                                     : RtpTimestamp{packet.timestamp.value + state_.timestamp_offset};
  if (is_newest) state_.newest_number = *placed;
  if (is_newest && (!packet.is_event || starts_segment)) {
    state_.newest_timestamp = timestamp.value;
    state_.newest_at_ns = nanoseconds(now);
    line_clock_rate_ = packet.clock_rate;
  }
  state_.has_sent = 1;
  return Spliced{{*placed}, timestamp, starts_segment};
}

// A packet on probation is heard at once, as the first of a segment: if it is borne out nothing is lost. If
// not the stream before it goes on behind it.
bool StreamSplicer::begins_segment(const Incoming& packet) const {
  if (!rtp_continues_segment(&state_, packet.ssrc.value)) return true;
  switch (packet.arrived) {
    case Arrived::kGoesOn:
    case Arrived::kAside: return is_on_probation_;
    case Arrived::kBeginsAnew:
      return !is_on_probation_ || distance(newest_incoming_, packet.sequence_number.value) != 1;
    case Arrived::kTimestampJumps:
    case Arrived::kOnProbation: return true;
  }
  return true;
}

// Who begins anew may use its timestamps again.
void StreamSplicer::forget_presses(Ssrc ssrc) {
  for (Press& each : presses_) {
    if (each.ssrc == ssrc) each.at = {};
  }
}

// What the listener's clock says now.
std::uint32_t StreamSplicer::timestamp_at(Time now, std::uint32_t clock_rate) const {
  if (!state_.has_sent) return state_.newest_timestamp;
  // The kernel's clock is read later than ours, and is finer: what it sent may be newer than now.
  const auto since = static_cast<std::int64_t>(nanoseconds(now) - state_.newest_at_ns);
  const auto passed = static_cast<std::uint64_t>(std::clamp(since, kShortestSeam, kLongestSeam));
  return state_.newest_timestamp + static_cast<std::uint32_t>(passed / 1000 * clock_rate / 1'000'000);
}

void StreamSplicer::begin_segment(Time now, const Incoming& packet) {
  const std::uint16_t number = packet.sequence_number.value;
  state_.timestamp_offset = timestamp_at(now, packet.clock_rate) - packet.timestamp.value;
  state_.number_offset = static_cast<std::uint16_t>(state_.newest_number + 1 - number);
  state_.has_stream = 1;
  state_.ssrc = packet.ssrc.value;
  newest_incoming_ = static_cast<std::uint16_t>(number - 1);
  change_count_ = 0;
  if (state_.has_sent) remember_change({.last = newest_incoming_, .is_seam = true});
}

// The oldest goes: what comes late from before it goes with it.
void StreamSplicer::remember_change(const Change& change) {
  const bool extends = change_count_ != 0 && !change.is_seam && !changes_[change_count_ - 1].is_seam &&
                       distance(changes_[change_count_ - 1].last, change.last) <= 1;
  if (extends) {
    changes_[change_count_ - 1].last = change.last;
    changes_[change_count_ - 1].shift =
        static_cast<std::uint16_t>(changes_[change_count_ - 1].shift + change.shift);
    return;
  }
  if (change_count_ == kMaxChanges) {
    std::copy(changes_.begin() + 1, changes_.end(), changes_.begin());
    changes_[0].is_seam = true;
    --change_count_;
  }
  changes_[change_count_++] = change;
}

// Those that nothing can come from before any more.
void StreamSplicer::forget_changes() {
  // Nothing is put right that is more than twice as late as misorder goes.
  constexpr int kLongAgo = 2 * kRtpMaxMisorder;
  if (change_count_ != 0 && distance(changes_[change_count_ - 1].last, newest_incoming_) > kLongAgo)
    change_count_ = 0;
}

std::optional<std::uint16_t> StreamSplicer::place(std::uint16_t number) const {
  auto placed = static_cast<std::uint16_t>(number + state_.number_offset);
  for (std::size_t i = change_count_; i > 0; --i) {
    const Change& change = changes_[i - 1];
    if (distance(change.last, number) > 0) break;
    if (change.is_seam) return {};
    placed = static_cast<std::uint16_t>(placed + change.shift);
  }
  return placed;
}

// The audio behind it moves on by one number.
Spliced StreamSplicer::lay_in(Time now, const Incoming& packet) {
  const RtpTimestamp timestamp = timestamp_of_press(now, packet);
  ++state_.newest_number;
  ++state_.number_offset;
  remember_change({.last = newest_incoming_, .shift = 0xffff});
  return {{state_.newest_number}, timestamp, false};
}

RtpTimestamp StreamSplicer::timestamp_of_press(Time now, const Incoming& packet) {
  const auto known = std::find_if(presses_.begin(), presses_.end(), [&](const Press& each) {
    return each.at != Time{} && now - each.at < kPressIsOver && each.ssrc == packet.ssrc &&
           each.incoming == packet.timestamp;
  });
  if (known != presses_.end()) {
    known->at = now;
    return known->outgoing;
  }
  const std::uint32_t here = timestamp_at(now, line_clock_rate_);
  RtpTimestamp outgoing{packet.timestamp.value + state_.timestamp_offset};
  const std::int64_t since_audio = static_cast<std::int32_t>(outgoing.value - state_.newest_timestamp);
  const std::int64_t ahead = static_cast<std::int32_t>(outgoing.value - here);
  const bool is_on_line = packet.ssrc.value == state_.ssrc &&
                          since_audio > -kLongestPress * line_clock_rate_ &&
                          ahead < kEarliestPress * line_clock_rate_;
  if (!is_on_line) outgoing = {here};
  std::copy_backward(presses_.begin(), presses_.end() - 1, presses_.end());
  presses_[0] = {packet.ssrc, packet.timestamp, outgoing, now};
  return outgoing;
}

void StreamSplicer::skip(const Incoming& packet) {
  if (is_settled())
    newest_incoming_ = static_cast<std::uint16_t>(state_.newest_number - state_.number_offset);
  if (packet.arrived == Arrived::kAside || !state_.has_stream) return;
  if (packet.arrived != Arrived::kGoesOn || is_on_probation_)
    return restart();  // the next one begins the segment
  const std::uint16_t number = packet.sequence_number.value;
  if (state_.ssrc != packet.ssrc.value || distance(newest_incoming_, number) <= 0) return;
  newest_incoming_ = number;
  --state_.number_offset;
  forget_changes();
  remember_change({.last = number, .shift = 1});
}

std::optional<RtpTimestamp> StreamSplicer::translate_timestamp(Ssrc ssrc, RtpTimestamp timestamp) const {
  if (current() != ssrc) return {};
  return RtpTimestamp{timestamp.value + state_.timestamp_offset};
}

std::uint32_t StreamSplicer::untranslate_sequence(std::uint32_t extended_highest) const {
  return (extended_highest & 0xffff0000) |
         static_cast<std::uint16_t>(extended_highest - state_.number_offset);
}

}  // namespace vas::media
