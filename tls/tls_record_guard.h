// TLS that says much and carries nothing.
#pragma once

#include <openssl/types.h>

#include <functional>

#include "base/time.h"

namespace vas {

// Counts a peer's records that carry no SIP: fragments of a handshake, KeyUpdates, attempts to renegotiate,
// alerts. Each costs us more than the peer, and OpenSSL takes any number of them.
//
// Threads:  one at a time: HTTPS hands it on with its connection. Lifetime: outlives what it watches.
// Bounds:   kMaxRecords in each kWindow. A handshake has less than a dozen, a connection that is up renews
//           its keys each few gigabytes.
class TlsRecordGuard {
 public:
  // Five times what a handshake needs.
  static constexpr int kMaxRecords = 60;
  // Longer than a handshake may take (Connection::kHeaderDeadline): the whole of one is counted.
  static constexpr Duration kWindow = std::chrono::seconds(10);

  // `on_flood` is called once, and inside OpenSSL: the connection cannot be closed there and then.
  void watch(SSL* ssl, std::function<void()> on_flood);
  void count(Time now);

 private:
  std::function<void()> on_flood_;
  Time window_began_{};
  int records_ = 0;
};

}  // namespace vas
