// The name of the way a message came: a UDP source or a connection, signed so that no peer can make one up.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/endpoint.h"

struct evp_mac_ctx_st;
using EVP_MAC_CTX = evp_mac_ctx_st;

namespace vas::signaling {

// RFC 3261 §18, RFC 7118 §5.
enum class Transport : std::uint8_t { kUdp, kTcp, kTls, kWs, kWss };

const char* to_string(Transport transport);                         // "udp": as a URI's parameter says it
const char* via_name(Transport transport);                          // "UDP": as a Via says it
std::optional<Transport> transport_by_name(std::string_view name);  // in any case

inline bool has_connections(Transport transport) { return transport != Transport::kUdp; }
inline bool is_secure(Transport transport) {
  return transport == Transport::kTls || transport == Transport::kWss;
}
inline bool is_websocket(Transport transport) {
  return transport == Transport::kWs || transport == Transport::kWss;
}

struct Flow {
  // No listener has this number.
  static constexpr std::uint16_t kAnyListener = 0xffff;

  Transport transport = Transport::kUdp;
  Endpoint peer;
  std::uint64_t connection = 0;           // 0 for UDP, and for a connection that is to be found or made
  std::uint16_t listener = kAnyListener;  // which of the gateway's own addresses: listener_table.h
  friend bool operator==(const Flow&, const Flow&) = default;
};

// Writes flows as tokens that are safe inside a Via branch and a URI's user part, and reads back only its
// own. Threads: any, immutable.
class FlowSigner {
 public:
  FlowSigner();  // with a fresh key: tokens of another process are refused

  std::string sign(const Flow& flow) const;
  std::optional<Flow> verify(std::string_view token) const;

  // A keyed hash for branches: equal input, equal output, not to be guessed.
  std::string keyed_hash(std::string_view text) const;

 private:
  struct FreeMac {
    void operator()(EVP_MAC_CTX* context) const;
  };
  std::unique_ptr<EVP_MAC_CTX, FreeMac> keyed_;  // copied for each hash: setting the key is what costs
};

}  // namespace vas::signaling
