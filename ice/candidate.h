// Where a side of a call says that it may be reached. (RFC 8445 §5.1, RFC 8839 §5.1)
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "vas/base/endpoint.h"

namespace vas::ice {

enum class CandidateType { kHost, kServerReflexive, kPeerReflexive, kRelayed };
std::string_view to_string(CandidateType type);  // "host", "srflx", "prflx", "relay"

struct Candidate {
  Endpoint address;
  CandidateType type = CandidateType::kHost;
  friend bool operator==(const Candidate&, const Candidate&) = default;
};

// Of `a=candidate:`, what follows the colon. Nothing for what we have no use for: TCP, RTCP's component, a
// name in place of an address.
std::optional<Candidate> parse_candidate(std::string_view value);

// Peer-reflexive where none of them has this address.
CandidateType type_of(const std::vector<Candidate>& candidates, const Endpoint& address);

}  // namespace vas::ice
