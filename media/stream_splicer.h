// Joins successive RTP streams into one, so that the listener never sees the seam.
#pragma once

#include <cstdint>
#include <optional>

#include "media/rtp_stream_state.h"
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
  // The outgoing stream starts at `first`: random, as RFC 3550 §5.1 asks.
  explicit StreamSplicer(SequenceNumber first_number, RtpTimestamp first_timestamp)
      : state_{.newest_timestamp = first_timestamp.value,
               .newest_number = static_cast<std::uint16_t>(first_number.value - 1)} {}

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
  void restart() { state_.has_stream = 0; }

  // For RTCP: the same translation without moving the stream. Nothing when `ssrc` is not the stream that
  // plays.
  std::optional<RtpTimestamp> translate_timestamp(Ssrc ssrc, RtpTimestamp timestamp) const;
  // An outgoing extended sequence number, as a receiver reports it, back into the incoming stream's numbers.
  std::uint32_t untranslate_sequence(std::uint32_t extended_highest) const;
  std::optional<Ssrc> current() const {
    return state_.has_stream ? std::optional(Ssrc{state_.ssrc}) : std::nullopt;
  }

  // The state while the kernel relays: see ReceiveStats::state().
  const rtp_splice_state& state() const { return state_; }
  void set_state(const rtp_splice_state& state) { state_ = state; }

 private:
  void begin_segment(Time now, const Incoming& packet);

  rtp_splice_state state_;
};

}  // namespace vas::media
