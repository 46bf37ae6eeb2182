#include "media/stream_splicer.h"

#include <algorithm>
#include <cstdlib>

namespace vas::media {
namespace {

constexpr Duration kShortestSeam = std::chrono::milliseconds(20);  // a seam is at least one frame long
constexpr Duration kLongestSeam = std::chrono::hours(1);           // beyond it the exact length means nothing

int distance(std::uint16_t from, std::uint16_t to) { return static_cast<std::int16_t>(to - from); }

}  // namespace

Spliced StreamSplicer::splice(Time now, const Incoming& packet) {
  const auto expected = static_cast<std::uint16_t>(newest_number_ - number_offset_);
  const bool is_same_stream =
      stream_ == packet.ssrc && std::abs(distance(expected, packet.sequence_number.value)) <= kMaxDropout;
  if (!is_same_stream) begin_segment(now, packet);

  const auto number =
      static_cast<std::uint16_t>(packet.sequence_number.value + number_offset_for(packet.sequence_number));
  const std::uint32_t timestamp = packet.timestamp.value + timestamp_offset_;
  if (distance(newest_number_, number) > 0 || !is_same_stream) {
    newest_number_ = number;
    newest_timestamp_ = timestamp;
    newest_at_ = now;
  }
  has_sent_ = true;
  return {{number}, {timestamp}, !is_same_stream};
}

void StreamSplicer::begin_segment(Time now, const Incoming& packet) {
  std::uint32_t ticks = 0;
  if (has_sent_) {
    const Duration seam = std::clamp(now - newest_at_, kShortestSeam, kLongestSeam);
    ticks = static_cast<std::uint32_t>(seam.count() * packet.clock_rate / 1'000'000);
  }
  stream_ = packet.ssrc;
  skipped_.reset();
  number_offset_ = static_cast<std::uint16_t>(newest_number_ + 1 - packet.sequence_number.value);
  timestamp_offset_ = newest_timestamp_ + ticks - packet.timestamp.value;
}

void StreamSplicer::skip(const Incoming& packet) {
  if (stream_ != packet.ssrc) return;
  skipped_ = packet.sequence_number.value;
  --number_offset_;
}

std::uint16_t StreamSplicer::number_offset_for(SequenceNumber number) const {
  const bool came_before_the_skip = skipped_ && distance(*skipped_, number.value) < 0;
  return static_cast<std::uint16_t>(number_offset_ + (came_before_the_skip ? 1 : 0));
}

std::optional<RtpTimestamp> StreamSplicer::translate_timestamp(Ssrc ssrc, RtpTimestamp timestamp) const {
  if (stream_ != ssrc) return {};
  return RtpTimestamp{timestamp.value + timestamp_offset_};
}

std::uint32_t StreamSplicer::untranslate_sequence(std::uint32_t extended_highest) const {
  return (extended_highest & 0xffff0000) | static_cast<std::uint16_t>(extended_highest - number_offset_);
}

}  // namespace vas::media
