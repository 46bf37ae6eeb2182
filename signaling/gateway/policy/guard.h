// What a message must satisfy before a SIP parser sees it. (RFC 3261 §8.1.1, §8.2, §16.3; docs/signaling.md)
#pragma once

#include <optional>
#include <string_view>

#include "signaling/gateway/policy/stateless_response.h"
#include "signaling/sip/sip_message.h"

namespace vas::signaling {

// The response, or nothing when `message` may pass. `bytes`: its size,
// which may be more than was parsed.
//
// A Contact or Record-Route that is not sip: or sips: is refused here, before any dialog is made: the SIP
// stack below resolves and follows what it is given. Numbers are checked for range for the same reason.
std::optional<StatelessResponse> check_request(const SipMessage& message, std::size_t bytes);
std::optional<StatelessResponse> check_response(const SipMessage& message);

// Says by its User-Agent that it is one of the programs that look for open servers.
bool is_scanner(const SipMessage& request);

}  // namespace vas::signaling
