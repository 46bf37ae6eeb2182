#include "ice/agent/nice_values.h"

#include <sys/socket.h>

namespace vas::ice {
namespace {

NiceCandidateType to_nice(CandidateType type) {
  switch (type) {
    case CandidateType::kHost: return NICE_CANDIDATE_TYPE_HOST;
    case CandidateType::kServerReflexive: return NICE_CANDIDATE_TYPE_SERVER_REFLEXIVE;
    case CandidateType::kPeerReflexive: return NICE_CANDIDATE_TYPE_PEER_REFLEXIVE;
    case CandidateType::kRelayed: return NICE_CANDIDATE_TYPE_RELAYED;
  }
  return NICE_CANDIDATE_TYPE_HOST;
}

}  // namespace

NiceAddress to_nice(const Endpoint& endpoint) {
  sockaddr_storage storage{};
  endpoint.to_sockaddr(storage);
  NiceAddress address;
  nice_address_init(&address);
  nice_address_set_from_sockaddr(&address, reinterpret_cast<const sockaddr*>(&storage));
  return address;
}

Endpoint from_nice(const NiceAddress& address) {
  sockaddr_storage storage{};
  nice_address_copy_to_sockaddr(&address, reinterpret_cast<sockaddr*>(&storage));
  return Endpoint::from_sockaddr(storage).value_or(Endpoint());
}

CandidateType type_of(const NiceCandidate& candidate) {
  switch (candidate.type) {
    case NICE_CANDIDATE_TYPE_HOST: return CandidateType::kHost;
    case NICE_CANDIDATE_TYPE_SERVER_REFLEXIVE: return CandidateType::kServerReflexive;
    case NICE_CANDIDATE_TYPE_PEER_REFLEXIVE: return CandidateType::kPeerReflexive;
    case NICE_CANDIDATE_TYPE_RELAYED: return CandidateType::kRelayed;
  }
  return CandidateType::kHost;
}

Candidate from_nice(const NiceCandidate& candidate) {
  Candidate ours{.address = from_nice(candidate.addr),
                 .type = type_of(candidate),
                 .foundation = candidate.foundation,
                 .priority = candidate.priority};
  if (ours.type != CandidateType::kHost) ours.related = from_nice(candidate.base_addr);
  return ours;
}

NiceCandidate* to_nice(const Candidate& candidate, guint stream) {
  NiceCandidate* theirs = nice_candidate_new(to_nice(candidate.type));
  theirs->transport = NICE_CANDIDATE_TRANSPORT_UDP;
  theirs->addr = to_nice(candidate.address);
  theirs->priority = candidate.priority;
  theirs->stream_id = stream;
  theirs->component_id = kComponent;
  g_strlcpy(theirs->foundation, candidate.foundation.c_str(), sizeof theirs->foundation);
  return theirs;
}

}  // namespace vas::ice
