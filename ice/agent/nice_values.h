// Our addresses and candidates as libnice's, and back.
#pragma once

#include <nice/agent.h>

#include "base/endpoint.h"
#include "ice/agent/candidate.h"

namespace vas::ice {

inline                               // RTP's, and the only one: RTCP is multiplexed on it.
    constexpr guint kComponent = 1;  // the only one: RTCP is multiplexed

Endpoint from_nice(const NiceAddress& address);
CandidateType type_of(const NiceCandidate& candidate);
Candidate from_nice(const NiceCandidate& candidate);
// The caller owns it.
NiceCandidate* to_nice(const Candidate& candidate, guint stream);
NiceAddress to_nice(const Endpoint& endpoint);

}  // namespace vas::ice
