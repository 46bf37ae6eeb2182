// SRTP keys in session descriptions: reading, writing, and who gets which. (RFC 4568; RFC 7714 §14; RFC 8643)
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "media/srtp/srtp_suite.h"
#include "signaling/sdp/media_policy.h"

namespace vas::signaling {

struct AudioDescription;  // sdp.h

// One `a=crypto`.
struct CryptoAttribute {
  unsigned tag = 1;
  media::SrtpKey key;
  friend bool operator==(const CryptoAttribute&, const CryptoAttribute&) = default;
};

// What follows "crypto:". Nothing for a suite or a session parameter that we do not speak, or for several
// keys to change between: the next line may be better.
std::optional<CryptoAttribute> parse_crypto(std::string_view value);
std::string to_string(const CryptoAttribute& attribute);

// What holds for one party.
struct SdesRules {
  MediaEncryption wanted = MediaEncryption::kNone;
  // Whoever reads the signaling hears the call: keys travel only where nobody can, or where that is accepted.
  bool is_signaling_safe = false;

  bool may_use_keys() const { return wanted != MediaEncryption::kNone && is_signaling_safe; }
};

struct SdesKeys {
  unsigned tag = 1;
  media::SrtpKey theirs;
  media::SrtpKey ours;
};

// What came of an offer or an answer: a reason why not, or keys, or neither: plain RTP.
struct SdesOutcome {
  std::optional<SdesKeys> keys;
  std::string refused;  // for people; empty when all is well
};

// Why media that is to be keyed by DTLS cannot be: for people.
std::string fault_of_certificate(const AudioDescription& audio);

// The first suite of the party's offer that we have. `current`: what is agreed already; our key stays with
// its suite, so that its indices go on. Where theirs has an identifier (MKI) ours has the same: who puts one
// into its packets looks for one in ours.
SdesOutcome answer_sdes(const AudioDescription& offer, const SdesRules& rules,
                        const std::optional<SdesKeys>& current);

// What we offer: every suite, the best first; or only what is agreed already.
std::vector<CryptoAttribute> offer_sdes(const SdesRules& rules, const std::optional<SdesKeys>& current);
SdesOutcome complete_sdes(const std::vector<CryptoAttribute>& offered, const AudioDescription& answer,
                          const SdesRules& rules);

}  // namespace vas::signaling
