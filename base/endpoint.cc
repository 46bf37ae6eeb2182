#include "base/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace vas {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failure != std::errc() || end != text.data() + text.size() || port > 65535) return {};
  return static_cast<std::uint16_t>(port);
}

constexpr int kMappedBits = 96;

bool is_mapped(const std::uint8_t* bytes) {
  return std::all_of(bytes, bytes + 10, [](std::uint8_t byte) { return byte == 0; }) && bytes[10] == 0xff &&
         bytes[11] == 0xff;
}

// An IPv4 address in IPv6's clothes, "::ffff:192.0.2.1", is that IPv4 address (RFC 4291 §2.5.5.2): nothing
// behind here sees another. So a block of them, "::ffff:10.0.0.0/104", is the IPv4 block that it covers.
IpAddress from_ipv6(const std::uint8_t* bytes) {
  IpAddress address;
  if (is_mapped(bytes)) {
    std::copy_n(bytes + kMappedBits / 8, 4, address.bytes.begin());
    return address;
  }
  address.family = AddressFamily::kIpv6;
  std::copy_n(bytes, address.bytes.size(), address.bytes.begin());
  return address;
}

bool shares_prefix(const IpAddress& a, const IpAddress& b, int bits) {
  const auto whole = static_cast<std::size_t>(bits / 8);
  if (!std::equal(a.bytes.begin(), a.bytes.begin() + static_cast<std::ptrdiff_t>(whole), b.bytes.begin()))
    return false;
  const int rest = bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return (a.bytes[whole] & mask) == (b.bytes[whole] & mask);
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  if (text.empty() || text.size() >= INET6_ADDRSTRLEN) return {};
  if (text.find('\0') != std::string_view::npos) return {};  // where inet_pton would stop reading
  char buffer[INET6_ADDRSTRLEN] = {};
  std::memcpy(buffer, text.data(), text.size());

  IpAddress address;
  if (inet_pton(AF_INET, buffer, address.bytes.data()) == 1) return address;
  if (inet_pton(AF_INET6, buffer, address.bytes.data()) == 1) return from_ipv6(address.bytes.data());
  return {};
}

bool IpAddress::is_unspecified() const {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_loopback() const {
  if (family == AddressFamily::kIpv4) return bytes[0] == 127;
  return bytes[15] == 1 &&
         std::all_of(bytes.begin(), bytes.end() - 1, [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_multicast() const {
  if (family == AddressFamily::kIpv6) return bytes[0] == 0xff;
  const bool is_broadcast =
      std::all_of(bytes.begin(), bytes.begin() + 4, [](std::uint8_t byte) { return byte == 0xff; });
  return is_broadcast || (bytes[0] & 0xf0) == 0xe0;
}

bool IpAddress::is_private() const {
  static const std::array kBlocks = {*Network::parse("10.0.0.0/8"),     *Network::parse("172.16.0.0/12"),
                                     *Network::parse("192.168.0.0/16"), *Network::parse("100.64.0.0/10"),
                                     *Network::parse("169.254.0.0/16"), *Network::parse("fc00::/7"),
                                     *Network::parse("fe80::/10")};
  return std::any_of(kBlocks.begin(), kBlocks.end(),
                     [this](const Network& block) { return block.contains(*this); });
}

std::optional<Endpoint> Endpoint::parse(std::string_view text, std::uint16_t default_port) {
  std::string_view host = text;
  std::optional<std::uint16_t> port = default_port;
  const auto colon = text.rfind(':');
  const bool is_bare_ipv6 = text.find(':') != colon && !text.starts_with('[');
  if (colon != std::string_view::npos && !is_bare_ipv6 && !text.ends_with(']')) {
    host = text.substr(0, colon);
    port = parse_port(text.substr(colon + 1));
  }
  const auto address = IpAddress::parse(host);
  if (!address || !port) return {};
  return Endpoint{*address, *port};
}

std::optional<Endpoint> Endpoint::from_sockaddr(const sockaddr_storage& from) {
  Endpoint endpoint;
  if (from.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &from, sizeof in);
    std::memcpy(endpoint.address.bytes.data(), &in.sin_addr, 4);
    endpoint.port = ntohs(in.sin_port);
    return endpoint;
  }
  if (from.ss_family != AF_INET6) return {};
  sockaddr_in6 in6{};
  std::memcpy(&in6, &from, sizeof in6);
  endpoint.address = from_ipv6(in6.sin6_addr.s6_addr);
  endpoint.port = ntohs(in6.sin6_port);
  return endpoint;
}

std::size_t EndpointHash::operator()(const Endpoint& endpoint) const {
  const auto& bytes = endpoint.address.bytes;
  const std::string_view address(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return std::hash<std::string_view>()(address) * 31 + endpoint.port;
}

socklen_t Endpoint::to_sockaddr(sockaddr_storage& out) const {
  out = {};
  if (address.family == AddressFamily::kIpv4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, address.bytes.data(), 4);
    std::memcpy(&out, &in, sizeof in);
    return sizeof in;
  }
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port);
  std::memcpy(&in6.sin6_addr, address.bytes.data(), 16);
  std::memcpy(&out, &in6, sizeof in6);
  return sizeof in6;
}

std::string to_string(const IpAddress& address) {
  char buffer[INET6_ADDRSTRLEN] = {};
  inet_ntop(address.family == AddressFamily::kIpv4 ? AF_INET : AF_INET6, address.bytes.data(), buffer,
            sizeof buffer);
  return buffer;
}

std::string to_host(const IpAddress& address) {
  return address.family == AddressFamily::kIpv4 ? to_string(address) : "[" + to_string(address) + "]";
}

std::string to_string(const Endpoint& endpoint) {
  return to_host(endpoint.address) + ":" + std::to_string(endpoint.port);
}

std::optional<Network> Network::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return {};
  const int all_bits = address->family == AddressFamily::kIpv4 ? 32 : 128;
  if (slash == std::string_view::npos) return Network{*address, all_bits};
  const bool is_in_clothes =
      address->family == AddressFamily::kIpv4 && text.substr(0, slash).find(':') != std::string_view::npos;

  const auto digits = text.substr(slash + 1);
  int bits = -1;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (failure != std::errc() || end != digits.data() + digits.size()) return {};
  if (is_in_clothes) bits -= kMappedBits;
  if (bits < 0 || bits > all_bits) return {};
  return Network{*address, bits};
}

bool Network::contains(const IpAddress& candidate) const {
  return candidate.family == address.family && shares_prefix(address, candidate, prefix_bits);
}

bool Network::overlaps(const Network& other) const {
  return prefix_bits <= other.prefix_bits ? contains(other.address) : other.contains(address);
}

std::string to_string(const Network& network) {
  const int all_bits = network.address.family == AddressFamily::kIpv4 ? 32 : 128;
  const std::string address = to_string(network.address);
  return network.prefix_bits == all_bits ? address : address + "/" + std::to_string(network.prefix_bits);
}

}  // namespace vas
