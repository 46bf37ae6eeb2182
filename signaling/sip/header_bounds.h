// How many elements the headers of a message may have: each costs its readers more than its bytes do.
#pragma once

#include <cstddef>

#include "signaling/sip/sip_message.h"

namespace vas::signaling {

// Max-Forwards begins at 70 (RFC 3261 §8.1.1.6):
// no message has come further, nor over more recording proxies.
inline constexpr std::size_t kMaxVias = 70;
inline constexpr std::size_t kMaxRoutes = 70;  // of Route, and of Record-Route
// More than any redirection has; an INVITE has one.
inline constexpr std::size_t kMaxContacts = 16;
// Commas and semicolons of any one header field.
inline constexpr std::size_t kMaxSeparators = 256;

// Over all fields of a name together; a comma inside quotes counts as well.
bool is_within_bounds(const SipMessage& message);

}  // namespace vas::signaling
