// The name of the way a message came: a UDP source or a connection, signed so that no peer can make one up.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vas/base/endpoint.h"

namespace vas::signaling {

enum class Transport : std::uint8_t { kUdp, kTcp };

const char* to_string(Transport transport);                         // "udp", "tcp"
std::optional<Transport> transport_by_name(std::string_view name);  // in any case

struct Flow {
  Transport transport = Transport::kUdp;
  Endpoint peer;
  std::uint64_t connection = 0;  // 0 for UDP
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
  std::array<std::uint8_t, 32> key_{};
};

}  // namespace vas::signaling
