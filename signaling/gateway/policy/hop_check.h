// Whether a request may be sent to its next hop, wherever that was named:
// a route, a Contact, a Record-Route, DNS.
#pragma once

#include <optional>
#include <string>

#include "base/address_policy.h"
#include "signaling/gateway/policy/listener_table.h"
#include "signaling/sip/flow.h"

namespace vas::signaling {

// Why nothing may be sent to `hop`, for people; nothing: it may be. `policy`: none: everywhere but to our own
// listeners, which are no next hop of anything.
std::optional<std::string> fault_of_hop(const AddressPolicy* policy, const ListenerTable& listeners,
                                        const Flow& hop, AddressPolicy::PrivateRanges ranges);

}  // namespace vas::signaling
