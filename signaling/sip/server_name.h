// A server by its name, and what the name turns out to mean.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "signaling/sip/flow.h"

namespace vas::signaling {

// What a URI says about where to go.
struct ServerName {
  std::string host;                    // a name, never an address
  std::uint16_t port = 0;              // 0: none written
  std::optional<Transport> transport;  // none written: DNS may say (NAPTR), else UDP
  bool is_secure = false;              // sips: nothing but TLS will do
  friend auto operator<=>(const ServerName&, const ServerName&) = default;
};

// Where nothing names a port (RFC 3261 §18.1.1, §19.1.2).
inline std::uint16_t default_port(Transport transport) { return is_secure(transport) ? 5061 : 5060; }

struct Target {
  Transport transport = Transport::kUdp;
  Endpoint address;
  friend bool operator==(const Target&, const Target&) = default;
};

}  // namespace vas::signaling
