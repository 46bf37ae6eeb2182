// Whether a party's media may be sent where its SDP says.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/address_policy.h"
#include "signaling/sdp/sdp.h"
#include "signaling/sip/flow.h"

namespace vas::calls {

struct FarEndRules {
  std::shared_ptr<const AddressPolicy> policy;  // none: everywhere
  // Of our own media sockets: who names one of those is the media plane's to judge, for it knows whose it is.
  std::uint16_t first_media_port = 0;
  std::uint16_t last_media_port = 0;

  enum class Verdict {
    kReachable,
    kBehindNat,  // of another network (private, link-local, 464XLAT's): the party has to show itself
    kRefused,
  };
  Verdict verdict_on(const Endpoint& far, AddressPolicy::PrivateRanges ranges) const;
};

// What a party may name: private ranges where its SIP comes from one, or where the system has said so.
AddressPolicy::PrivateRanges ranges_of(const signaling::Flow& source, bool reaches_private);

// Why media may not go where `audio` says, for the party to read; nothing: it may.
std::optional<std::string> fault_of_far_end(const FarEndRules& rules,
                                            const signaling::AudioDescription& audio,
                                            AddressPolicy::PrivateRanges ranges);

}  // namespace vas::calls
