// What a message must satisfy before a SIP parser sees it. (RFC 3261 §8.1.1, §8.2, §16.3; docs/signaling.md)
#pragma once

#include <optional>
#include <string_view>

#include "signaling/gateway/sip_message.h"

namespace vas::signaling {

enum class Refusal : std::uint8_t {
  kBadRequest,           // 400
  kTooManyHops,          // 483
  kVersionNotSupported,  // 505
  kSilent,               // no answer: a response, an ACK, or nothing that could be answered
};

struct Refused {
  Refusal refusal;
  std::string_view why;  // for the answer's reason phrase and the counter; a literal
};

// Nothing when `message` may pass.
//
// A Contact or Record-Route that is not sip: or sips: is refused here, before any dialog is made: the SIP
// stack below resolves and follows what it is given. Numbers are checked for range for the same reason.
std::optional<Refused> check_request(const SipMessage& message);
std::optional<Refused> check_response(const SipMessage& message);

int status_of(Refusal refusal);  // 0 for kSilent

}  // namespace vas::signaling
