// What we say to an OPTIONS outside any dialog. (RFC 3261 §11.2)
#pragma once

#include "signaling/gateway/policy/stateless_response.h"
#include "signaling/sip/sip_message.h"

namespace vas::signaling {

// 200 with what we can, or 420 with what it requires and we have not.
StatelessResponse respond_to_options(const SipMessage& request);

}  // namespace vas::signaling
