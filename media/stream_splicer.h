// Joins successive RTP streams into one, so that the listener never sees the seam.
#pragma once

#include <cstdint>
#include <optional>

#include "media/rtp_types.h"
#include "vas/base/time.h"

namespace vas::media {

// Where a packet of the incoming stream stands in the outgoing one.
struct Spliced {
  SequenceNumber sequence_number;
  RtpTimestamp timestamp;
  bool starts_segment = false;  // first packet after a seam: carries the marker bit
};

// Gaps and reordering inside a stream pass through: they are real loss, for the far end to conceal.
// Only the jump between two streams is closed: a new SSRC, a restarted sequence, or a pause that we
// made (hold). Across a seam the sequence goes on by one and the timestamp by the time that passed.
//
// Units: `now` is arrival time; `clock_rate` the RTP ticks a second of the packet's payload type.
class StreamSplicer {
 public:
  // A jump of this many numbers is a restart, not loss (RFC 3550 A.1, MAX_DROPOUT).
  static constexpr int kMaxDropout = 3000;

  // The outgoing stream starts at `first`: random, as RFC 3550 §5.1 asks.
  explicit StreamSplicer(SequenceNumber first_number, RtpTimestamp first_timestamp)
      : newest_number_(static_cast<std::uint16_t>(first_number.value - 1)),
        newest_timestamp_(first_timestamp.value) {}

  struct Incoming {
    Ssrc ssrc;
    SequenceNumber sequence_number;
    RtpTimestamp timestamp;
    std::uint32_t clock_rate = 8000;
  };
  Spliced splice(Time now, const Incoming& packet);

  // The packet with this number is left out of the outgoing stream (its payload type has no counterpart):
  // the numbers behind it move up, so that the listener does not count it as lost.
  void skip(const Incoming& packet);

  // What was paused here goes on with the next packet as a new segment.
  void restart() { stream_.reset(); }

  // For RTCP: the same translation without moving the stream. Nothing when `ssrc` is not the stream that
  // plays.
  std::optional<RtpTimestamp> translate_timestamp(Ssrc ssrc, RtpTimestamp timestamp) const;
  // An outgoing extended sequence number, as a receiver reports it, back into the incoming stream's numbers.
  std::uint32_t untranslate_sequence(std::uint32_t extended_highest) const;
  std::optional<Ssrc> current() const { return stream_; }

 private:
  void begin_segment(Time now, const Incoming& packet);
  std::uint16_t number_offset_for(SequenceNumber number) const;

  std::optional<Ssrc> stream_;
  std::uint16_t number_offset_ = 0;       // outgoing minus incoming, mod 2^16
  std::uint32_t timestamp_offset_ = 0;    // outgoing minus incoming, mod 2^32
  std::optional<std::uint16_t> skipped_;  // incoming number behind which number_offset_ holds
  std::uint16_t newest_number_;
  std::uint32_t newest_timestamp_;
  Time newest_at_{};
  bool has_sent_ = false;
};

}  // namespace vas::media
