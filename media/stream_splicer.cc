#include "media/stream_splicer.h"

#include <algorithm>

#include "media/receive_stats.h"

namespace vas::media {
namespace {

// Nanoseconds. A seam is at least one frame long; beyond an hour its exact length means nothing.
constexpr std::uint64_t kShortestSeam = 20'000'000;
constexpr std::uint64_t kLongestSeam = 3'600'000'000'000;

}  // namespace

Spliced StreamSplicer::splice(Time now, const Incoming& packet) {
  const bool starts_segment =
      !rtp_continues_segment(&state_, packet.ssrc.value, packet.sequence_number.value);
  if (starts_segment) begin_segment(now, packet);
  std::uint32_t timestamp = packet.timestamp.value;
  const std::uint16_t number =
      rtp_splice(&state_, nanoseconds(now), packet.sequence_number.value, &timestamp);
  return {{number}, {timestamp}, starts_segment};
}

void StreamSplicer::begin_segment(Time now, const Incoming& packet) {
  std::uint32_t ticks = 0;
  if (state_.has_sent) {
    const std::uint64_t seam =
        std::clamp<std::uint64_t>(nanoseconds(now) - state_.newest_at_ns, kShortestSeam, kLongestSeam);
    ticks = static_cast<std::uint32_t>(seam / 1000 * packet.clock_rate / 1'000'000);
  }
  state_.has_stream = 1;
  state_.ssrc = packet.ssrc.value;
  state_.has_skipped = 0;
  state_.number_offset = static_cast<std::uint16_t>(state_.newest_number + 1 - packet.sequence_number.value);
  state_.timestamp_offset = state_.newest_timestamp + ticks - packet.timestamp.value;
}

void StreamSplicer::skip(const Incoming& packet) {
  if (current() != packet.ssrc) return;
  state_.has_skipped = 1;
  state_.skipped = packet.sequence_number.value;
  --state_.number_offset;
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
