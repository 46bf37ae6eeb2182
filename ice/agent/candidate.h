// Where a side of a call says that it may be reached. (RFC 8445 §5.1, RFC 8839 §5.1)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.h"

namespace vas::ice {

enum class CandidateType { kHost, kServerReflexive, kPeerReflexive, kRelayed };
std::string_view to_string(CandidateType type);  // "host", "srflx", "prflx", "relay"

// Of a lite side's only candidate, itself (RFC 8445 §5.1.2: host, component 1).
inline constexpr std::uint32_t kHostPriority = (126U << 24) + (65535U << 8) + 255;

// UDP, component 1: RTCP is always multiplexed where there is ICE.
struct Candidate {
  Endpoint address;
  CandidateType type = CandidateType::kHost;
  std::string foundation = "1";
  std::uint32_t priority = kHostPriority;
  Endpoint related;  // the base of one that is not a host's; unset: not said
  friend bool operator==(const Candidate&, const Candidate&) = default;
};

// Of `a=candidate:`, what follows the colon. Nothing for what we have no use for: TCP, RTCP's component, a
// name in place of an address; or breaks a rule. `related` is not read.
std::optional<Candidate> parse_candidate(std::string_view value);
std::string to_sdp(const Candidate& candidate);

// What SDP names as its media's address, for who knows no ICE: of this family if there is one, and where we
// can be reached without TURN if we can. Nothing: there is none.
std::optional<Endpoint> default_address(const std::vector<Candidate>& candidates, AddressFamily family);

// Peer-reflexive where none of them has this address.
CandidateType type_of(const std::vector<Candidate>& candidates, const Endpoint& address);

}  // namespace vas::ice
