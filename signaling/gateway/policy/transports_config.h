// What the gateway's sockets are told, and whom they tell.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/gateway/policy/websocket_door.h"
#include "signaling/sip/flow.h"
#include "tls/handshake_budget.h"
#include "tls/tls_contexts.h"

namespace vas::signaling {

struct TransportsConfig {
  std::vector<Endpoint> sip;  // UDP and TCP
  std::vector<Endpoint> tls;
  std::vector<Endpoint> ws;
  std::vector<Endpoint> wss;
  // What peers are told instead of a listening address (1:1 NAT). Without `local`: of all of the IP version.
  struct Advertised {
    std::optional<IpAddress> local;
    IpAddress address;
  };
  std::vector<Advertised> advertised;
  TlsConfig certificates;
  WebSocketNames websocket;
  HandshakeLimits handshakes;
  std::size_t max_connections = 8192;
  std::size_t max_connections_of_address = 256;
};

// Threads: all of it is called on the gateway's.
class TransportsReceiver {
 public:
  virtual ~TransportsReceiver() = default;
  // One whole message, or the blank line of a keep-alive. True when it was SIP that deserves a response: a
  // connection that it came by has proved to be worth keeping.
  virtual bool on_message(std::string_view text, const Flow& source) = 0;
  virtual Welcome welcome(const IpAddress& peer) = 0;
  // A message that was to leave by a connection that could not be made, or broke first.
  virtual void on_unsent(std::string_view text, const Flow& flow) = 0;
  // The beginning of a datagram that did not arrive, by our own routes or by an ICMP error, which anybody can
  // make up.
  virtual void on_undelivered(std::string_view text) = 0;
};

}  // namespace vas::signaling
