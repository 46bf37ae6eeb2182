#include "signaling/sdp/sdes.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>

#include "base/base64.h"
#include "base/text.h"
#include "signaling/sdp/sdp.h"

namespace vas::signaling {
namespace {

constexpr std::string_view kInline = "inline:";

// Padded or not: both are seen. Nothing unless it is base64 throughout.
std::optional<std::vector<std::uint8_t>> decode_base64(std::string_view text) {
  std::string padded(text.substr(0, text.find('=')));
  const std::size_t digits = padded.size();
  const bool is_plausible = digits <= 2 * media::SrtpKey::kMaxBytes && digits % 4 != 1 &&
                            text.size() - digits <= 2 &&
                            text.find_first_not_of('=', digits) == std::string_view::npos;
  if (!is_plausible) return {};
  padded.append((4 - digits % 4) % 4, '=');
  std::vector<std::uint8_t> bytes(padded.size() / 4 * 3);
  const int decoded = EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(padded.data()),
                                      static_cast<int>(padded.size()));
  if (decoded < 0) return {};
  bytes.resize(digits * 3 / 4);
  return bytes;
}

// "1:4": a number, and in how many bytes it stands. Nothing where it does not fit into them.
std::optional<media::MasterKeyIdentifier> parse_identifier(std::string_view text) {
  const auto colon = text.find(':');
  const auto value = parse_number<std::uint64_t>(text.substr(0, colon));
  const auto bytes =
      colon == std::string_view::npos ? std::nullopt : parse_number<std::uint8_t>(text.substr(colon + 1));
  if (!value || !bytes || *bytes == 0 || *bytes > media::MasterKeyIdentifier::kLongest) return {};
  if (*bytes < sizeof *value && *value >> (8 * *bytes) != 0) return {};
  return media::MasterKeyIdentifier{*value, *bytes};
}

// "inline:" key, optionally "|" lifetime, optionally "|" MKI ":" length (RFC 4568 §6.1). A lifetime is longer
// than a call.
std::optional<media::SrtpKey> parse_key(media::SrtpSuite suite, std::string_view text) {
  if (!text.starts_with(kInline) || text.find(';') != std::string_view::npos) return {};
  auto parts = split(text.substr(kInline.size()), '|');
  std::optional<media::MasterKeyIdentifier> identifier{media::MasterKeyIdentifier{}};
  if (parts.size() > 1 && parts.back().find(':') != std::string_view::npos) {
    identifier = parse_identifier(parts.back());
    parts.pop_back();
  }
  const auto master = decode_base64(parts[0]);
  if (!identifier || parts.size() > 2 || !master) return {};
  const auto key = media::SrtpKey::from(suite, *master);
  return key ? std::optional(key->named(*identifier)) : std::nullopt;
}

SdesOutcome refused(std::string why) { return {.keys = {}, .refused = std::move(why)}; }

bool is_secure(const AudioDescription& audio) {
  return audio.protocol == MediaProtocol::kRtpSavp || audio.protocol == MediaProtocol::kRtpSavpf;
}

bool has_keys(const AudioDescription& audio) { return !audio.crypto.empty() && !is_dtls(audio.protocol); }

// No keys are agreed: plain RTP, where both sides may have it.
SdesOutcome plain_or_refused(const AudioDescription& audio, const SdesRules& rules) {
  const bool is_encrypted = is_secure(audio) || is_dtls(audio.protocol);
  if (!is_encrypted && rules.wanted != MediaEncryption::kRequired) return {};
  if (rules.wanted == MediaEncryption::kNone) return refused("Encrypted media is not taken here");
  if (is_dtls(audio.protocol) || !audio.weak_hash.empty()) return refused(fault_of_certificate(audio));
  if (!rules.is_signaling_safe && is_encrypted)
    return refused("The keys of encrypted media need SIP over TLS");
  if (!rules.is_signaling_safe) return refused("Media must be encrypted, and its keys need SIP over TLS");
  return refused(is_encrypted ? "No crypto suite is shared" : "Media must be encrypted");
}

}  // namespace

std::string fault_of_certificate(const AudioDescription& audio) {
  if (audio.weak_hash.empty()) return "There is no certificate fingerprint that can be read";
  return fmt::format("Certificate fingerprints by {} are not taken: sha-256 or better is", audio.weak_hash);
}

std::optional<CryptoAttribute> parse_crypto(std::string_view value) {
  const auto words = split(trim(value), ' ');
  if (words.size() < 3) return {};
  const auto tag = parse_number<unsigned>(words[0]);
  const auto suite = media::srtp_suite_named(words[1]);
  constexpr unsigned kMaxTag = 999'999'999;  // nine digits: RFC 4568 §9.1
  if (!tag || *tag > kMaxTag || !suite) return {};
  // Session parameters change what is protected, and how; only a hint about the window may be passed over.
  const bool has_unknown = std::any_of(words.begin() + 3, words.end(), [](std::string_view each) {
    return !each.empty() && !each.starts_with("WSH=");
  });
  if (has_unknown) return {};
  const auto key = parse_key(*suite, words[2]);
  if (!key) return {};
  return CryptoAttribute{*tag, *key};
}

std::string to_string(const CryptoAttribute& attribute) {
  const media::MasterKeyIdentifier identifier = attribute.key.identifier();
  return fmt::format("{} {} {}{}{}", attribute.tag, media::shape_of(attribute.key.suite()).name, kInline,
                     to_base64(attribute.key.master()),
                     identifier.bytes == 0 ? "" : fmt::format("|{}:{}", identifier.value, identifier.bytes));
}

SdesOutcome answer_sdes(const AudioDescription& offer, const SdesRules& rules,
                        const std::optional<SdesKeys>& current) {
  if (!has_keys(offer) || !rules.may_use_keys()) return plain_or_refused(offer, rules);
  const CryptoAttribute& chosen = offer.crypto.front();
  const bool goes_on = current && current->ours.suite() == chosen.key.suite();
  const media::SrtpKey ours = goes_on ? current->ours : media::SrtpKey::random(chosen.key.suite());
  return {.keys = SdesKeys{chosen.tag, chosen.key, ours.named(chosen.key.identifier())}, .refused = {}};
}

std::vector<CryptoAttribute> offer_sdes(const SdesRules& rules, const std::optional<SdesKeys>& current) {
  std::vector<CryptoAttribute> offered;
  if (!rules.may_use_keys()) return offered;
  if (current) return {{1, current->ours}};
  for (const media::SrtpSuiteShape& each : media::srtp_suites()) {
    offered.push_back({static_cast<unsigned>(offered.size()) + 1, media::SrtpKey::random(each.suite)});
  }
  return offered;
}

SdesOutcome complete_sdes(const std::vector<CryptoAttribute>& offered, const AudioDescription& answer,
                          const SdesRules& rules) {
  if (!has_keys(answer) || offered.empty()) return plain_or_refused(answer, rules);
  const CryptoAttribute& chosen = answer.crypto.front();
  const auto ours = std::find_if(offered.begin(), offered.end(), [&](const CryptoAttribute& each) {
    return each.tag == chosen.tag && each.key.suite() == chosen.key.suite();
  });
  if (ours == offered.end()) return refused("The answer's crypto suite was not offered");
  return {.keys = SdesKeys{chosen.tag, chosen.key, ours->key}, .refused = {}};
}

}  // namespace vas::signaling
