// A server as people write it: a name or an address, and perhaps a port.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vas {

struct HostPort {
  std::string host;        // a DNS name, or an address without brackets
  std::uint16_t port = 0;  // 0: none written

  // "192.0.2.7", "[2001:db8::1]:5060", "sip.carrier.example:5061";
  // nothing for what is neither name nor address.
  static std::optional<HostPort> parse(std::string_view text);
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

// As a URI writes it: IPv6 in brackets.
std::string to_string(const HostPort& server);

}  // namespace vas
