#include "base/address_policy.h"

#include <algorithm>
#include <array>

namespace vas {
namespace {

using Networks = std::vector<Network>;

Networks networks(std::initializer_list<const char*> blocks) {
  Networks parsed;
  for (const char* block : blocks) parsed.push_back(*Network::parse(block));
  return parsed;
}

bool is_in(const Networks& all, const IpAddress& address) {
  return std::any_of(all.begin(), all.end(), [&](const Network& each) { return each.contains(address); });
}

bool is_alone(const Network& network) {
  return network.prefix_bits == (network.address.family == AddressFamily::kIpv4 ? 32 : 128);
}

// The addresses by which clouds tell a machine its secrets, where they are not link-local anyway.
const Networks& metadata() {
  static const Networks all = networks({"169.254.169.254", "169.254.170.2", "fd00:ec2::254", "fd20:ce::254",
                                        "100.100.100.200", "168.63.129.16", "192.0.0.192"});
  return all;
}

const Networks& private_ranges() {
  static const Networks all =
      networks({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"});
  return all;
}

const Networks& documentation() {
  static const Networks all = networks(
      {"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15", "2001:db8::/32", "3fff::/20"});
  return all;
}

// RFC 6890 and its successors: what else is not globally reachable, and relays to who knows where (6to4's
// anycast, Teredo, local NAT64).
const Networks& reserved() {
  static const Networks all =
      networks({"0.0.0.0/8", "192.0.0.0/24", "192.88.99.0/24", "240.0.0.0/4", "::/127", "64:ff9b:1::/48",
                "100::/64", "2001::/23", "5f00::/16", "fec0::/10"});
  return all;
}

bool is_link_local(const IpAddress& address) {
  static const Networks all = networks({"169.254.0.0/16", "fe80::/10"});
  return is_in(all, address);
}

bool is_loopback(const IpAddress& address) {
  static const Networks all = networks({"127.0.0.0/8", "::1"});
  return is_in(all, address);
}

}  // namespace

const char* to_string(AddressKind kind) {
  switch (kind) {
    case AddressKind::kPublic: return "a public address";
    case AddressKind::kDocumentation: return "an address of documentation";
    case AddressKind::kPrivate: return "a private address";
    case AddressKind::kReserved: return "a reserved address";
    case AddressKind::kLinkLocal: return "a link-local address";
    case AddressKind::kMetadata: return "a cloud's metadata address";
    case AddressKind::kOwn: return "an address of this host";
    case AddressKind::kLoopback: return "a loopback address";
    case AddressKind::kGroup: return "a multicast or broadcast address";
    case AddressKind::kUnspecified: return "no address of anybody";
  }
  return "?";
}

// v4-mapped (which IpAddress::parse and Endpoint::from_sockaddr undress already), v4-compatible, translated
// (RFC 7915), NAT64 (RFC 6052), 6to4 (RFC 3056).
std::optional<IpAddress> wrapped_ipv4(const IpAddress& address) {
  if (address.family != AddressFamily::kIpv6 || address.is_unspecified() || address.is_loopback()) return {};
  struct Wrapping {
    Network network;
    std::ptrdiff_t offset;
  };
  static const Network kMapped{{AddressFamily::kIpv6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}}, 96};
  static const std::array kWrappings = {Wrapping{kMapped, 12}, Wrapping{*Network::parse("::/96"), 12},
                                        Wrapping{*Network::parse("::ffff:0:0:0/96"), 12},
                                        Wrapping{*Network::parse("64:ff9b::/96"), 12},
                                        Wrapping{*Network::parse("2002::/16"), 2}};
  for (const Wrapping& each : kWrappings) {
    if (!each.network.contains(address)) continue;
    IpAddress ipv4;
    std::copy_n(address.bytes.begin() + each.offset, 4, ipv4.bytes.begin());
    return ipv4;
  }
  return {};
}

AddressPolicy::PrivateRanges ranges_near(const IpAddress& peer) {
  const IpAddress bare = wrapped_ipv4(peer).value_or(peer);
  const bool is_near = is_in(private_ranges(), bare) || is_loopback(bare) || is_link_local(bare);
  return is_near ? AddressPolicy::PrivateRanges::kOpen : AddressPolicy::PrivateRanges::kClosed;
}

AddressKind AddressPolicy::kind_of(const IpAddress& address) const {
  if (const auto ipv4 = wrapped_ipv4(address)) return kind_of(*ipv4);
  if (address.is_unspecified()) return AddressKind::kUnspecified;
  if (address.is_multicast() || (own_ && own_->is_group(address))) return AddressKind::kGroup;
  if (is_loopback(address)) return AddressKind::kLoopback;
  if (is_in(metadata(), address)) return AddressKind::kMetadata;
  if (own_ && own_->contains(address)) return AddressKind::kOwn;
  if (is_link_local(address)) return AddressKind::kLinkLocal;
  if (is_in(private_ranges(), address)) return AddressKind::kPrivate;
  if (is_in(documentation(), address)) return AddressKind::kDocumentation;
  if (is_in(reserved(), address)) return AddressKind::kReserved;
  return AddressKind::kPublic;
}

bool AddressPolicy::is_own(const IpAddress& address) const {
  if (const auto ipv4 = wrapped_ipv4(address)) return is_own(*ipv4);
  return is_loopback(address) || (own_ && own_->contains(address));
}

// Whether the operator has opened the way there, to the address as it stands or to what it covers.
bool AddressPolicy::opens(const IpAddress& address, AddressKind kind) const {
  const bool is_peer = door_ == Door::kPeer;
  if (is_peer && (kind == AddressKind::kGroup || kind == AddressKind::kUnspecified)) return false;
  const bool accepts_name = is_peer && (kind == AddressKind::kOwn || kind == AddressKind::kMetadata);
  const auto bare = wrapped_ipv4(address);
  return std::any_of(allowed_.begin(), allowed_.end(), [&](const Network& each) {
    if (accepts_name && !is_alone(each)) return false;
    return each.contains(address) || (bare && each.contains(*bare));
  });
}

std::optional<AddressKind> AddressPolicy::refusal_of(const IpAddress& address, PrivateRanges ranges) const {
  const AddressKind kind = kind_of(address);
  if (kind == AddressKind::kPublic || opens(address, kind)) return {};
  const bool is_peer = door_ == Door::kPeer;
  if (is_peer && kind == AddressKind::kDocumentation) return {};
  if (is_peer && kind == AddressKind::kPrivate && ranges == PrivateRanges::kOpen) return {};
  return kind;
}

}  // namespace vas
