// DTMF digits carried as RTP telephone events. (RFC 4733 §2.3)
#pragma once

#include <optional>

#include "media/rtp_packet.h"

namespace vas::media {

struct TelephoneEvent {
  std::uint8_t event = 0;  // 0-9 digits, 10 `*`, 11 `#`, 12-15 A-D
  bool is_end = false;
  std::uint16_t duration = 0;  // RTP ticks

  static std::optional<TelephoneEvent> parse(Bytes payload) {
    if (payload.size() < 4) return {};
    return TelephoneEvent{payload[0], (payload[1] & 0x80) != 0, load_u16(payload, 2)};
  }

  // Nothing for events that are not DTMF.
  std::optional<char> digit() const {
    constexpr char kDigits[] = "0123456789*#ABCD";
    if (event > 15) return {};
    return kDigits[event];
  }
};

// Counts pressed keys: all packets of one press share SSRC and timestamp (RFC 4733 §2.5.1.2).
class TelephoneEventCounter {
 public:
  void on_event(const RtpPacket& packet) {
    const bool is_same_press = last_ && *last_ == packet.timestamp() && ssrc_ == packet.ssrc();
    if (is_same_press) return;
    last_ = packet.timestamp();
    ssrc_ = packet.ssrc();
    ++count_;
  }
  std::uint32_t count() const { return count_; }

 private:
  std::optional<RtpTimestamp> last_;
  Ssrc ssrc_;
  std::uint32_t count_ = 0;
};

}  // namespace vas::media
