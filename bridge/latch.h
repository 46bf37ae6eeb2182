// Where a leg's media goes, and whose media it takes. (RFC 4961; the bounded latch of docs/media.md)
#pragma once

#include <optional>

#include "bridge/leg_config.h"
#include "vas/base/endpoint.h"
#include "vas/base/time.h"

namespace vas::bridge {

// Media goes to the address in SDP, until the party's first RTP shows that it sits behind a NAT. The window
// for that opens with its first valid packet and lasts 5 packets or 200 ms; a packet from SDP's own address
// closes it at once. Only the IP address that the leg's SIP comes from may take the latch, anybody only by
// configuration: so a stranger who sprays the port range neither hears nor speaks.
//
// Threads: its bridge's media worker only.
class Latch {
 public:
  static constexpr int kWindowPackets = 5;
  static constexpr Duration kWindow = std::chrono::milliseconds(200);

  // Starts anew when the address or who may latch has changed; else what was proved stays proved.
  void configure(const LegConfig& config);

  // `source` of a valid RTP packet of a negotiated payload type. True if it is this leg's party.
  bool accepts_rtp(Time now, const Endpoint& source);

  // Nobody else can take it any more: what it was proved to be, it stays until the party is configured anew.
  bool is_closed(Time now) const {
    return is_closed_ ||
           (opened_at_ && (packets_in_window_ >= kWindowPackets || now - *opened_at_ > kWindow));
  }

  // SDP's address, what latched, or what may latch still.
  bool may_come_from(const Endpoint& source) const {
    return source == sdp_rtp_ || source == destination_ || (!is_closed_ && may_take(source));
  }
  // The same of RTCP's socket.
  bool rtcp_may_come_from(const Endpoint& source) const {
    return source == sdp_rtcp_ || source.address == destination_.address || may_take(source);
  }

  // RTCP comes from the address that RTP was proved to come from; its port is learned once.
  bool accepts_rtcp(const Endpoint& source);

  // Unset when there is nowhere to send.
  const Endpoint& rtp_destination() const { return destination_; }
  Endpoint rtcp_destination() const;

 private:
  bool may_take(const Endpoint& source) const;

  Endpoint sdp_rtp_;
  Endpoint sdp_rtcp_;
  bool rtcp_mux_ = false;
  std::optional<IpAddress> signaling_address_;
  bool latches_to_anyone_ = false;

  Endpoint destination_;
  std::optional<Endpoint> learned_rtcp_;
  std::optional<Time> opened_at_;
  int packets_in_window_ = 0;
  bool is_closed_ = false;
};

}  // namespace vas::bridge
