// Answers to the challenges of servers that know us by a password. (RFC 8760, RFC 7616, RFC 3261 §22)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vas::signaling {

// What a trunk knows us by. Without a user no challenge is answered.
struct Credentials {
  std::string user;
  std::string password;
  std::string realm;  // the only one that is answered; empty: whichever the trunk's own server names
};

enum class DigestAlgorithm : std::uint8_t { kMd5, kSha256 };

struct DigestChallenge {
  DigestAlgorithm algorithm = DigestAlgorithm::kMd5;
  std::string realm;
  std::string nonce;
  std::string opaque;
  bool has_opaque = false;
  bool has_qop_auth = false;  // else as RFC 2069: neither nc nor cnonce
  bool is_stale = false;

  // The value of a WWW-Authenticate or Proxy-Authenticate header. Nothing for another scheme, an algorithm
  // that we do not have, or a qop that is auth-int alone.
  static std::optional<DigestChallenge> parse(std::string_view value);
};

// Those of one header field that can be answered:
// a field may hold several, of whatever schemes (RFC 9110 §11.6.1).
std::vector<DigestChallenge> challenges_in(std::string_view field);

// SHA-256 goes before MD5 (RFC 8760 §2.4).
bool is_stronger(const DigestChallenge& one, const DigestChallenge& other);

// The value of Authorization or Proxy-Authorization. `count`: how often this nonce was used, from 1 on.
std::string digest_response(const DigestChallenge& challenge, const Credentials& credentials,
                            std::string_view method, std::string_view uri, std::string_view client_nonce,
                            std::uint32_t count);

}  // namespace vas::signaling
