// Responses that the gateway gives by itself and forgets: nothing is kept of the request. (RFC 3261 §8.2.7)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "signaling/sip/flow.h"
#include "signaling/sip/sip_message.h"

namespace vas::signaling {

struct StatelessResponse {
  int status = 0;                   // 0: none; a response, an ACK, or nothing that could have one
  std::string_view why;             // the reason phrase, a literal; empty: the table's (reason_phrase)
  std::uint32_t retry_after_s = 0;  // 0: no Retry-After
  bool says_allow = false;          // which methods there are
  std::string lines = {};           // more headers, whole; left out where they would make it too long
};

// With the request's Via, From, To, Call-ID and CSeq (RFC 3261 §8.2.6). The To tag is the same each time that
// the request comes.
std::string stateless_response(const SipMessage& request, const Flow& source,
                               const StatelessResponse& response, const FlowSigner& signer);

// The ACK that ends such a transaction: nobody waits for it.
bool is_ack_of_stateless_response(const SipMessage& ack, const FlowSigner& signer);

}  // namespace vas::signaling
