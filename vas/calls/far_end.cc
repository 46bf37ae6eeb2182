#include "vas/calls/far_end.h"

namespace vas::calls {

FarEndRules::Verdict FarEndRules::verdict_on(const Endpoint& far, AddressPolicy::PrivateRanges ranges) const {
  // An unspecified address is a hold of old, and sent nothing (RFC 3264 §8.4).
  if (policy == nullptr || far.address.is_unspecified()) return Verdict::kReachable;
  const bool may_be_ours = far.port >= first_media_port && far.port <= last_media_port;
  if (may_be_ours && policy->is_own(far.address)) return Verdict::kReachable;
  const auto kind = policy->refusal_of(far.address, ranges);
  if (!kind) return Verdict::kReachable;
  // Phones say what their own network calls them; on 464XLAT that is 192.0.0.4 (RFC 7335).
  static const Network kTranslated = *Network::parse("192.0.0.0/29");
  const bool is_nobodys_here =
      *kind == AddressKind::kPrivate || *kind == AddressKind::kLinkLocal || kTranslated.contains(far.address);
  return is_nobodys_here ? Verdict::kBehindNat : Verdict::kRefused;
}

AddressPolicy::PrivateRanges ranges_of(const signaling::Flow& source, bool reaches_private) {
  if (reaches_private) return AddressPolicy::PrivateRanges::kOpen;
  return source.peer.is_set() ? ranges_near(source.peer.address) : AddressPolicy::PrivateRanges::kClosed;
}

std::optional<std::string> fault_of_far_end(const FarEndRules& rules,
                                            const signaling::AudioDescription& audio,
                                            AddressPolicy::PrivateRanges ranges) {
  for (const Endpoint& far : {audio.rtp, audio.rtcp}) {
    if (rules.verdict_on(far, ranges) == FarEndRules::Verdict::kRefused)
      return "Media is not sent to " + to_string(far.address) + ": " +
             to_string(rules.policy->kind_of(far.address));
  }
  return {};
}

}  // namespace vas::calls
