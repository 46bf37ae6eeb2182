#include "vas/webhooks/address_guard.h"

#include <algorithm>
#include <array>

namespace vas::webhooks {
namespace {

const std::vector<Network>& inside() {
  static const std::vector<Network> all = [] {
    // RFC 6890 and its successors: everything that is not globally reachable.
    constexpr std::array kBlocks = {"0.0.0.0/8",      "10.0.0.0/8",    "100.64.0.0/10",   "127.0.0.0/8",
                                    "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",
                                    "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
                                    "192.88.99.0/24", "224.0.0.0/4",   "240.0.0.0/4",     "::/127",
                                    "100::/64",       "2001::/23",     "2001:db8::/32",   "fc00::/7",
                                    "fe80::/10",      "fec0::/10",     "ff00::/8",        "64:ff9b:1::/48"};
    std::vector<Network> networks;
    for (const char* block : kBlocks) networks.push_back(*Network::parse(block));
    return networks;
  }();
  return all;
}

// The IPv4 address that an IPv6 address stands for: v4-mapped, v4-compatible, NAT64 (RFC 6052), 6to4 (RFC
// 3056).
std::optional<IpAddress> wrapped_ipv4(const IpAddress& address) {
  if (address.family != AddressFamily::kIpv6) return {};
  struct Wrapping {
    Network network;
    std::size_t offset;
  };
  static const std::array kWrappings = {
      Wrapping{*Network::parse("::ffff:0:0/96"), 12}, Wrapping{*Network::parse("::/96"), 12},
      Wrapping{*Network::parse("64:ff9b::/96"), 12}, Wrapping{*Network::parse("2002::/16"), 2}};
  for (const Wrapping& each : kWrappings) {
    if (!each.network.contains(address)) continue;
    IpAddress ipv4;
    std::copy_n(address.bytes.begin() + static_cast<std::ptrdiff_t>(each.offset), 4, ipv4.bytes.begin());
    return ipv4;
  }
  return {};
}

bool is_in(const std::vector<Network>& networks, const IpAddress& address) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const Network& each) { return each.contains(address); });
}

}  // namespace

bool AddressGuard::lets_through(const IpAddress& address) const {
  if (is_in(allowed_, address)) return true;
  if (const auto ipv4 = wrapped_ipv4(address)) return lets_through(*ipv4);
  return !is_in(inside(), address);
}

}  // namespace vas::webhooks
