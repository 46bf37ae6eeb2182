// DTMF digits carried as RTP telephone events. (RFC 4733 §2.3)
#pragma once

#include <array>
#include <optional>

#include "media/rtp/rtp_packet.h"

namespace vas::media {

// The payload of one event packet. What stands behind the first four bytes is no concern of ours.
struct TelephoneEvent {
  std::uint8_t code = 0;
  bool is_end = false;
  std::uint16_t duration = 0;  // so far, in ticks of the event's clock

  static std::optional<TelephoneEvent> parse(const RtpPacket& packet);
};

// True when a packet goes on with a press that outgrew the 16 bits of its duration: a new segment of it,
// which begins where the one before it is full, or, as others have it,
// where its last packet ended (RFC 4733 §2.5.1.3).
bool continues_press(RtpTimestamp segment, std::uint16_t duration, RtpTimestamp next);

// Counts pressed keys, once however they are sent: packets repeated and overtaken, segments of a long press,
// several digits under one timestamp.
//
// Bounds: knows a late packet by the last kMaxPresses presses.
class TelephoneEventCounter {
 public:
  // Fingers are slow: the last four presses are more than a second.
  static constexpr std::size_t kMaxPresses = 4;

  void on_event(const RtpPacket& packet);
  std::uint32_t count() const { return count_; }

 private:
  struct Press {
    Ssrc ssrc;
    RtpTimestamp first;
    RtpTimestamp timestamp;  // of its newest segment
    std::uint8_t code = 0;
    SequenceNumber newest;
    std::uint16_t duration = 0;
    bool is_ended = false;
  };
  bool is_known(const RtpPacket& packet, const TelephoneEvent& event);
  static bool goes_on(Press& press, const RtpPacket& packet, const TelephoneEvent& event);
  void begin(const RtpPacket& packet, const TelephoneEvent& event);

  std::array<Press, kMaxPresses> presses_;  // the newest first
  std::size_t press_count_ = 0;
  std::uint32_t count_ = 0;
};

// Turns the durations of one clock into those of another: 100 ms stay 100 ms. A press that outgrows 16 bits
// on its way goes on in segments, and segments that came are joined first.
class TelephoneEventScaler {
 public:
  struct Scaled {
    RtpTimestamp press;           // the incoming timestamp that the press began with
    std::uint32_t segment_shift;  // ticks from there to the segment, in the outgoing stream
    std::uint16_t duration;
  };
  // Clock rates are not 0.
  Scaled scale(const RtpPacket& packet, const TelephoneEvent& event, std::uint32_t from_clock_rate,
               std::uint32_t to_clock_rate);

 private:
  Ssrc ssrc_;
  std::uint8_t code_ = 0;
  bool has_press_ = false;
  bool is_ended_ = false;
  RtpTimestamp press_;
  RtpTimestamp segment_;
  std::uint32_t ended_ticks_ = 0;  // of the segments before it, in the incoming clock
  std::uint16_t duration_ = 0;
};

// `datagram` is the one that `packet` views.
void rewrite_event_duration(MutableBytes datagram, const RtpPacket& packet, std::uint16_t duration);

}  // namespace vas::media
