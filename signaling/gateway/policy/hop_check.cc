#include "signaling/gateway/policy/hop_check.h"

#include <algorithm>

namespace vas::signaling {
namespace {

bool is_ours(const AddressPolicy* policy, const ListenerTable& listeners, const Endpoint& hop) {
  return std::any_of(listeners.all().begin(), listeners.all().end(), [&](const Listener& each) {
    if (hop == each.advertised || hop == each.local) return true;
    if (!each.local.address.is_unspecified() || hop.port != each.local.port) return false;
    return hop.address.is_loopback() || (policy != nullptr && policy->is_own(hop.address));
  });
}

}  // namespace

std::optional<std::string> fault_of_hop(const AddressPolicy* policy, const ListenerTable& listeners,
                                        const Flow& hop, AddressPolicy::PrivateRanges ranges) {
  const Endpoint bare{wrapped_ipv4(hop.peer.address).value_or(hop.peer.address), hop.peer.port};
  if (is_ours(policy, listeners, bare)) return to_string(hop.peer) + " is this server itself";
  if (policy == nullptr) return {};
  const auto kind = policy->refusal_of(hop.peer.address, ranges);
  if (!kind) return {};
  return to_string(hop.peer) + " is " + to_string(*kind) + ", which `peer-allow` does not name";
}

}  // namespace vas::signaling
