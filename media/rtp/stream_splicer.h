// Joins successive RTP streams into one, so that the listener never sees the seam.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "media/rtp/receive_stats.h"
#include "media/rtp/rtp_stream_state.h"
#include "media/rtp/rtp_types.h"

namespace vas::media {

// Where a packet of the incoming stream stands in the outgoing one.
struct Spliced {
  SequenceNumber sequence_number;
  RtpTimestamp timestamp;
  bool starts_segment = false;  // first packet after a seam: carries the marker bit
};

// Gaps and reordering inside a stream pass through: they are real loss, for the far end to conceal.
// Only the jump between two streams is closed: a new SSRC, a restarted sequence, a jump of the timestamps, or
// a pause that we made (hold). Across a seam the sequence goes on by one and the timestamp by the time that
// passed. What comes late from before a seam has no number any more.
//
// Telephone events that have an SSRC of their own, or timestamps of their own, are laid into the audio's
// stream: all packets of a press at the moment that it began.
//
// Units: `now` is arrival time; `clock_rate` the RTP ticks a second of the packet's payload type.
// Bounds: remembers kMaxChanges changes of the numbers, and kMaxPresses presses.
class StreamSplicer {
 public:
  // Numbers change at each event, hold or restart; what is late is so by less than eight of these.
  static constexpr std::size_t kMaxChanges = 8;
  // Fingers are slow: the last four presses are more than a second.
  static constexpr std::size_t kMaxPresses = 4;

  // The outgoing stream starts at `first`: random, as RFC 3550 §5.1 asks.
  explicit StreamSplicer(SequenceNumber first_number, RtpTimestamp first_timestamp)
      : state_{.newest_timestamp = first_timestamp.value,
               .newest_number = static_cast<std::uint16_t>(first_number.value - 1)} {}

  struct Incoming {
    Ssrc ssrc;
    SequenceNumber sequence_number;
    RtpTimestamp timestamp;
    std::uint32_t clock_rate = 8000;
    Arrived arrived = Arrived::kGoesOn;
    bool is_event = false;
  };
  // Nothing for a packet that is not to be sent: it came too late for its place.
  std::optional<Spliced> splice(Time now, const Incoming& packet);

  // The packet is left out of the outgoing stream (its payload type has no counterpart): the numbers behind
  // it move up, so that the listener does not count it as lost.
  void skip(const Incoming& packet);

  // What was paused here goes on with the next packet as a new segment.
  void restart() { state_.has_stream = 0; }

  // For RTCP: the same translation without moving the stream.
  // Nothing when `ssrc` is not the stream that plays.
  std::optional<RtpTimestamp> translate_timestamp(Ssrc ssrc, RtpTimestamp timestamp) const;
  // An outgoing extended sequence number, as a receiver reports it, back into the incoming stream's numbers.
  std::uint32_t untranslate_sequence(std::uint32_t extended_highest) const;
  std::optional<Ssrc> current() const {
    return state_.has_stream ? std::optional(Ssrc{state_.ssrc}) : std::nullopt;
  }

  // The state while the kernel relays: see ReceiveStats::state(). It knows of one offset only, so what may
  // still come from before a change has to be over.
  bool is_settled() const { return change_count_ == 0; }
  const rtp_splice_state& state() const { return state_; }
  void set_state(const rtp_splice_state& state) { state_ = state; }

 private:
  // Incoming numbers up to `last` are sent `shift` further on than those behind it; not at all before a seam.
  struct Change {
    std::uint16_t last = 0;
    std::uint16_t shift = 0;
    bool is_seam = false;
  };
  // All packets of a press bear one timestamp, in and out.
  struct Press {
    Ssrc ssrc;
    RtpTimestamp incoming;
    RtpTimestamp outgoing;
    Time at{};  // of its newest packet; none: the place is free
  };

  std::optional<Spliced> splice_unusual(Time now, const Incoming& packet);
  bool begins_segment(const Incoming& packet) const;
  void begin_segment(Time now, const Incoming& packet);
  void forget_presses(Ssrc ssrc);
  void remember_change(const Change& change);
  void forget_changes();
  std::optional<std::uint16_t> place(std::uint16_t number) const;
  Spliced lay_in(Time now, const Incoming& packet);
  RtpTimestamp timestamp_of_press(Time now, const Incoming& packet);
  std::uint32_t timestamp_at(Time now, std::uint32_t clock_rate) const;

  rtp_splice_state state_;
  bool is_on_probation_ = false;       // the newest packet is
  std::uint16_t newest_incoming_ = 0;  // of the stream that plays; what was left out counts. Not kept up
                                       // while settled: the state says it then
  std::array<Change, kMaxChanges> changes_;
  std::size_t change_count_ = 0;
  std::array<Press, kMaxPresses> presses_;  // the newest first
  std::uint32_t line_clock_rate_ = 8000;    // of the audio
};

}  // namespace vas::media
