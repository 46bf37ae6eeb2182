// DTMF digits carried as RTP telephone events. (RFC 4733 §2.3)
#pragma once

#include <optional>

#include "media/rtp_packet.h"

namespace vas::media {

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
