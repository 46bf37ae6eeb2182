// What we can do with SIP, as Allow and Supported say it. (RFC 3261 §20.5, §20.37)
#pragma once

namespace vas::signaling {

// What we take: everything else ends at the gateway.
inline constexpr const char* kAllow = "INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO";
inline constexpr const char* kSupported = "timer, 100rel";

}  // namespace vas::signaling
