// What phones send to keep a NAT's binding, and is no SIP. (RFC 5626 §3.5, §4.4; RFC 8489 §5)
#pragma once

#include <string>
#include <string_view>

#include "base/endpoint.h"

namespace vas::signaling {

// Blanks and NULs, a STUN message, or anything too short to be SIP ("jaK", "0", "ping"):
// no offence of anybody.
bool is_keep_alive(std::string_view message);

// The response to a STUN Binding request from `source`: where it was seen. Empty for anything else.
std::string stun_response(std::string_view datagram, const Endpoint& source);

}  // namespace vas::signaling
