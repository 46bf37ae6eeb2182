// Where the platform may be made to send by what others say: customers' URLs, SIP's next hops, SDP's and
// ICE's far ends. (docs/security.md, RFC 6890)
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/endpoint.h"
#include "base/own_addresses.h"

namespace vas {

// What an address is to this host. IPv6's clothes of IPv4 (mapped, compatible, translated, NAT64, 6to4) are
// what they cover.
enum class AddressKind : std::uint8_t {
  kPublic,
  kDocumentation,  // and benchmarks: laboratories use them
  kPrivate,        // RFC 1918, RFC 4193, RFC 6598
  kReserved,
  kLinkLocal,
  kMetadata,  // of a cloud: it gives credentials to who asks from this host
  kOwn,
  kLoopback,
  kGroup,  // multicast, broadcast
  kUnspecified,
};

// For people: "a loopback address".
const char* to_string(AddressKind kind);

// Threads: any, immutable but for what `own` is told.
class AddressPolicy {
 public:
  enum class Door : std::uint8_t {
    kWebhook,  // takes public addresses
    kPeer,     // of SIP and media: documentation's, too, and private ones where they are near
  };
  enum class PrivateRanges : std::uint8_t {
    kClosed,
    kOpen,  // the peer itself is in one, or the system has said so
  };

  // `allowed`: what the operator opens beyond that. A block does not open a peer's door to the host's own
  // addresses, nor to metadata: those have to be named alone. Nothing opens groups and the unspecified
  // address to a peer. `own`: none: only what the address itself says is known.
  AddressPolicy(Door door, std::vector<Network> allowed, std::shared_ptr<const OwnAddresses> own = nullptr)
      : door_(door), allowed_(std::move(allowed)), own_(std::move(own)) {}

  AddressKind kind_of(const IpAddress& address) const;

  // Of what kind an address is to which nothing may be sent; nothing: it may be sent to.
  std::optional<AddressKind> refusal_of(const IpAddress& address,
                                        PrivateRanges ranges = PrivateRanges::kClosed) const;

  bool is_own(const IpAddress& address) const;

 private:
  bool opens(const IpAddress& address, AddressKind kind) const;

  const Door door_;
  const std::vector<Network> allowed_;
  const std::shared_ptr<const OwnAddresses> own_;
};

// The IPv4 address that an IPv6 address stands for.
std::optional<IpAddress> wrapped_ipv4(const IpAddress& address);

// Whether what comes from there may name private ranges: it is in one, or on this host.
AddressPolicy::PrivateRanges ranges_near(const IpAddress& peer);

}  // namespace vas
