// Copies of messages for a Homer: HEP version 3, one datagram a message. (sipcapture/HEP rev. 36)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "signaling/gateway/trace/message_trace.h"

namespace vas::signaling {

// `capture_id` names this node to the collector; `correlation` joins the dialogs of one call.
std::string hep_packet(const TracedMessage& message, std::uint32_t capture_id, std::string_view correlation);

}  // namespace vas::signaling
