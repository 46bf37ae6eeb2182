// DTLS hellos that come before it is known whose they are: a phone that was offered DTLS sends its own with
// its 200, and media is quicker than SIP. (RFC 5763 §5)
#pragma once

#include <cstdint>
#include <vector>

#include "base/endpoint.h"
#include "base/thread_check.h"
#include "media/srtp/client_hello.h"

namespace vas::media {

// Each sender is asked for a cookie, for which nothing is remembered; the hello that brings it has shown that
// its sender receives there, and is kept until SDP has said who may be the party. Then its owner hands it to
// the association, which knows the same cookies. So a handshake waits for no retransmission, which DTLS sends
// after a second; and whoever is not the party costs an HMAC and a place that the next one takes.
//
// Threads: its leg's media worker only.
// Bounds:  kMostKept hellos, one a sender; the oldest makes room. None is larger than kMostBytes.
class EarlyHellos {
 public:
  // The party's, and two of others who may be the party, as DtlsAssociation has handshakes.
  static constexpr std::size_t kMostKept = 3;
  // One datagram of Ethernet: a hello in pieces is none that is kept.
  static constexpr std::size_t kMostBytes = 1500;

  struct Hello {
    Endpoint source;
    std::vector<std::uint8_t> datagram;
  };

  explicit EarlyHellos(const HelloCookies& cookies) : cookies_(cookies) {}

  // What is to be sent back to `source`, at most one datagram; borrowed until the next call.
  const std::vector<std::vector<std::uint8_t>>& on_datagram(const Endpoint& source, Bytes datagram);

  // The oldest of them, which is then no longer kept; nothing when there is none.
  std::optional<Hello> pop();

 private:
  HelloCookies cookies_;
  std::vector<Hello> kept_;  // oldest first
  std::vector<std::vector<std::uint8_t>> flight_;
  ThreadCheck thread_check_{"EarlyHellos"};
};

}  // namespace vas::media
