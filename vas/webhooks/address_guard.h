// Keeps requests that customers ask for out of the platform's own network (server-side request forgery).
#pragma once

#include <vector>

#include "vas/base/endpoint.h"

namespace vas::webhooks {

// Refuses loopback, private, link-local (cloud metadata among it), shared, multicast, reserved and
// documentation addresses, in IPv6's wrappings of IPv4 too; what the operator allows is let through.
//
// Threads: any, immutable.
class AddressGuard {
 public:
  explicit AddressGuard(std::vector<Network> allowed) : allowed_(std::move(allowed)) {}

  bool lets_through(const IpAddress& address) const;

 private:
  std::vector<Network> allowed_;
};

}  // namespace vas::webhooks
