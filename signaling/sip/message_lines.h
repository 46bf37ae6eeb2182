// Header lines as the gateway writes them.
#pragma once

#include <string>
#include <string_view>

#include "signaling/sip/flow.h"
#include "signaling/sip/sip_message.h"

namespace vas::signaling {

// One header line with its folds opened; what has no place in text (docs/signaling.md,
// "Bytes") stands as `?`.
void append_line(std::string& out, std::string_view line);

// As the stack reads it: `SIP/2.0` in capitals, and a blank before a reason phrase that is not there.
void append_start_line(std::string& out, const SipMessage& message);

// Nothing where `value` is empty.
void append_header(std::string& out, std::string_view name, std::string_view value);

// A Via element with what the peer cannot know: its address as seen here (RFC 3261 §18.2.1, RFC 3581 §4).
std::string with_received(const Via& via, const Flow& source);

}  // namespace vas::signaling
