// An IP address with a port: parse, print, compare, and the way to and from the socket API.
#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vas {

enum class AddressFamily : std::uint8_t { kIpv4, kIpv6 };

// An IPv4 or IPv6 address, network order; IPv4 uses the first four bytes. Never a name.
struct IpAddress {
  AddressFamily family = AddressFamily::kIpv4;
  std::array<std::uint8_t, 16> bytes{};

  // "192.0.2.1", "2001:db8::1", "[2001:db8::1]"; nothing for anything else, names included.
  static std::optional<IpAddress> parse(std::string_view text);

  bool is_unspecified() const;
  bool is_loopback() const;
  bool is_multicast() const;  // or IPv4's broadcast
  bool is_private() const;    // RFC 1918, RFC 6598, RFC 4193, link-local
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  // "192.0.2.1:5060", "[2001:db8::1]:5060"; a missing port is `default_port`. Port 0 is for listening at any.
  static std::optional<Endpoint> parse(std::string_view text, std::uint16_t default_port = 0);
  static std::optional<Endpoint> from_sockaddr(const sockaddr_storage& address);

  // Fills `out`; returns its used length.
  socklen_t to_sockaddr(sockaddr_storage& out) const;
  bool is_set() const { return port != 0; }
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

struct EndpointHash {
  std::size_t operator()(const Endpoint& endpoint) const;
};

std::string to_string(const IpAddress& address);
std::string to_string(const Endpoint& endpoint);

// As a URI or Via writes it: IPv6 in brackets.
std::string to_host(const IpAddress& address);

// A block of addresses: "10.0.0.0/8"; a bare address is a block of one.
struct Network {
  IpAddress address;
  int prefix_bits = 32;

  static std::optional<Network> parse(std::string_view text);
  bool contains(const IpAddress& address) const;
  bool overlaps(const Network& other) const;  // one contains the other
  friend bool operator==(const Network&, const Network&) = default;
};

std::string to_string(const Network& network);

}  // namespace vas
