// The question by which a source of UDP shows that it gets what is sent to it: an OPTIONS whose branch only
// the receiver of it can give back. Nothing is kept of it. (RFC 3261 §11)
#pragma once

#include <string>

#include "base/time.h"
#include "signaling/sip/flow.h"
#include "signaling/sip/sip_message.h"

namespace vas::signaling {

// The same for kProofQuestionSameFor, so that asking twice is a retransmission to a phone.
inline constexpr Duration kProofQuestionSameFor = std::chrono::seconds(32);

std::string proof_question(const Flow& asked, const Endpoint& own, const FlowSigner& signer, Time now);

// Whether `response`, any at all, is one to such a question, and comes from where that was sent.
bool responds_to_proof_question(const SipMessage& response, const Flow& source, const FlowSigner& signer,
                                Time now);

}  // namespace vas::signaling
