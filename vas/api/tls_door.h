// Where HTTPS comes in: accepts, shakes hands, and hands over what is ready to be served.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/pulse.h"
#include "base/result.h"
#include "tls/handshake_budget.h"
#include "tls/tls_contexts.h"
#include "vas/api/tls_session.h"

namespace vas::api {

struct TlsDoorConfig {
  std::vector<Endpoint> listen;
  TlsConfig certificates;
  // A backend that has shown a right key may make a connection for each request.
  HandshakeLimits handshakes{.per_second = 400, .per_second_of_address = 10, .per_second_of_proved = 200};
  std::vector<Network> proxies;  // not counted by address
  std::size_t max_newcomers = 1024;
};

// Read by any thread.
struct TlsDoorCounters {
  std::atomic<std::uint64_t> handshakes{0};          // begun
  std::atomic<std::uint64_t> handshakes_refused{0};  // over budget: closed before OpenSSL saw a byte
  std::atomic<std::uint64_t> handshakes_failed{0};   // begun and not ended well in time
};

// One whose handshake is over. `socket` is of no loop yet, and closed where nobody takes it.
struct TlsGuest {
  explicit TlsGuest(int descriptor) : socket(descriptor) {}
  ~TlsGuest();
  TlsGuest(const TlsGuest&) = delete;
  TlsGuest& operator=(const TlsGuest&) = delete;
  int release_socket() { return std::exchange(socket, -1); }

  TlsSession tls;
  IpAddress peer;
  int socket;
};

// Has a thread of its own: a handshake costs milliseconds, and nothing that control does waits for one
// (docs/decisions/009). What a handshake needs is made when its first byte is there, is one of TLS, and its
// address has a budget for it.
//
// Threads:  `deliver` is called on the door's own; prove(), ask() from any.
// Bounds:   `max_newcomers` connections that are not handed over yet, kMaxNewcomersOfAddress of one address
//           (IPv6: one /64), the oldest makes room; kHandshakeDeadline from the accept to the end of the
//           handshake; what HandshakeLimits say.
class TlsDoor {
 public:
  // A backend opens a pool of connections at once; more wait for those to be done.
  static constexpr std::size_t kMaxNewcomersOfAddress = 64;
  // As SIP's connections have (signaling/gateway/net/connection.h).
  static constexpr Duration kHandshakeDeadline = std::chrono::seconds(8);
  using Deliver = std::function<void(std::shared_ptr<TlsGuest>)>;

  // Port 0 becomes the one that was given. The error names the file or the address.
  static Result<std::unique_ptr<TlsDoor>> open(const TlsDoorConfig& config, Deliver deliver);
  virtual ~TlsDoor() = default;

  virtual std::vector<Endpoint> listening() const = 0;
  virtual const TlsDoorCounters& counters() const = 0;
  // Somebody there has shown a right key or token.
  virtual void prove(const IpAddress& peer) = 0;
  virtual void ask(Time now) = 0;
  virtual const Pulse& pulse() const = 0;
};

}  // namespace vas::api
