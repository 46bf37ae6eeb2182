#include "signaling/gateway/policy/proof_question.h"

#include <fmt/format.h>

namespace vas::signaling {
namespace {

constexpr std::string_view kBranch = "z9hG4bKproof.";

std::int64_t period(Time now) { return now.time_since_epoch() / kProofQuestionSameFor; }

std::string secret_of(const Flow& flow, std::int64_t period, const FlowSigner& signer) {
  return signer.keyed_hash(fmt::format("proof|{}|{}", period, to_string(flow.peer)));
}

}  // namespace

std::string proof_question(const Flow& asked, const Endpoint& own, const FlowSigner& signer, Time now) {
  const std::string secret = secret_of(asked, period(now), signer);
  const std::string peer = to_string(asked.peer);
  return fmt::format(
      "OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP {1};rport;branch={2}{3}\r\nMax-Forwards: 70\r\n"
      "From: <sip:{1}>;tag={4}\r\nTo: <sip:{0}>\r\nCall-ID: {4}\r\nCSeq: 1 OPTIONS\r\nContent-Length: "
      "0\r\n\r\n",
      peer, to_string(own), kBranch, secret, signer.keyed_hash("name|" + secret));
}

bool responds_to_proof_question(const SipMessage& response, const Flow& source, const FlowSigner& signer,
                                Time now) {
  if (has_connections(source.transport)) return false;
  const auto via = Via::parse(first_element(value_of(response, HeaderName::kVia)));
  if (!via || !via->branch.starts_with(kBranch)) return false;
  const std::string_view given = via->branch.substr(kBranch.size());
  const std::int64_t at = period(now);
  return given == secret_of(source, at, signer) || given == secret_of(source, at - 1, signer);
}

}  // namespace vas::signaling
