#include "signaling/sip/digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/bytes.h"
#include "base/text.h"
#include "signaling/sip/sip_message.h"

namespace vas::signaling {
namespace {

constexpr std::size_t kMaxValue = 2048;  // of one challenge; a longer one is no challenge

std::string hash(DigestAlgorithm algorithm, std::string_view text) {
  std::uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_Digest(text.data(), text.size(), digest, &length,
             algorithm == DigestAlgorithm::kSha256 ? EVP_sha256() : EVP_md5(), nullptr);
  return to_hex(Bytes(digest, length));
}

std::string_view skip_blanks(std::string_view text) {
  const auto from = text.find_first_not_of(" \t\r\n,");
  return from == std::string_view::npos ? std::string_view() : text.substr(from);
}

// Takes `name=token` or `name="quoted"` off the front. False at the end, and where it is malformed.
bool pop_parameter(std::string_view& text, std::string_view& name, std::string& value) {
  text = skip_blanks(text);
  const auto sign = text.find('=');
  if (sign == std::string_view::npos) return false;
  name = trim(text.substr(0, sign));
  text = skip_blanks(text.substr(sign + 1));
  value.clear();
  if (!text.starts_with('"')) {
    const auto end = text.find_first_of(", \t\r\n");
    value = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end);
    return !name.empty();
  }
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text = text.substr(i + 1);
      return !name.empty();
    }
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    value += text[i];
  }
  return false;  // the quote does not end
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

bool offers_auth(std::string_view qop) {
  for (const std::string_view each : split(qop, ',')) {
    if (equals_ignoring_case(trim(each), "auth")) return true;
  }
  return false;
}

// `Digest realm="x"` begins a challenge, `realm="x"` goes on with one.
bool names_scheme(std::string_view element) {
  const std::string_view name = trim(element.substr(0, element.find_first_of("=\"")));
  return !name.empty() &&
         (name.size() == element.size() || name.find_first_of(" \t") != std::string_view::npos);
}

}  // namespace

std::optional<DigestChallenge> DigestChallenge::parse(std::string_view value) {
  value = trim(value);
  if (value.size() > kMaxValue || !starts_with_ignoring_case(value, "Digest ")) return {};
  std::string_view rest = value.substr(7);
  DigestChallenge challenge;
  std::string_view name;
  std::string text;
  bool has_nonce = false;
  while (pop_parameter(rest, name, text)) {
    if (has_control_characters(text)) return {};
    if (equals_ignoring_case(name, "realm")) challenge.realm = text;
    if (equals_ignoring_case(name, "nonce")) {
      challenge.nonce = text;
      has_nonce = true;
    }
    if (equals_ignoring_case(name, "opaque")) {
      challenge.opaque = text;
      challenge.has_opaque = true;
    }
    if (equals_ignoring_case(name, "stale")) challenge.is_stale = equals_ignoring_case(text, "true");
    if (equals_ignoring_case(name, "qop")) {
      if (!offers_auth(text)) return {};
      challenge.has_qop_auth = true;
    }
    if (equals_ignoring_case(name, "algorithm")) {
      if (equals_ignoring_case(text, "SHA-256")) {
        challenge.algorithm = DigestAlgorithm::kSha256;
      } else if (!equals_ignoring_case(text, "MD5")) {
        return {};
      }
    }
  }
  if (!has_nonce) return {};
  return challenge;
}

std::vector<DigestChallenge> challenges_in(std::string_view field) {
  std::vector<DigestChallenge> challenges;
  if (field.size() > kMaxValue) return challenges;
  const auto add = [&](std::string_view text) {
    if (auto challenge = DigestChallenge::parse(text)) challenges.push_back(std::move(*challenge));
  };
  std::size_t begin = 0;
  for (const std::string_view element : elements(field)) {
    const auto at = static_cast<std::size_t>(element.data() - field.data());
    if (at == begin || !names_scheme(element)) continue;
    add(field.substr(begin, at - begin));
    begin = at;
  }
  add(field.substr(begin));
  return challenges;
}

bool is_stronger(const DigestChallenge& one, const DigestChallenge& other) {
  return one.algorithm == DigestAlgorithm::kSha256 && other.algorithm == DigestAlgorithm::kMd5;
}

std::string digest_response(const DigestChallenge& challenge, const Credentials& credentials,
                            std::string_view method, std::string_view uri, std::string_view client_nonce,
                            std::uint32_t count) {
  const DigestAlgorithm algorithm = challenge.algorithm;
  const std::string a1 =
      hash(algorithm, fmt::format("{}:{}:{}", credentials.user, challenge.realm, credentials.password));
  const std::string a2 = hash(algorithm, fmt::format("{}:{}", method, uri));
  const std::string nonce_count = fmt::format("{:08x}", count);
  const std::string response = hash(
      algorithm, challenge.has_qop_auth
                     ? fmt::format("{}:{}:{}:{}:auth:{}", a1, challenge.nonce, nonce_count, client_nonce, a2)
                     : fmt::format("{}:{}:{}", a1, challenge.nonce, a2));

  std::string value =
      fmt::format("Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\", algorithm={}",
                  quoted(credentials.user), quoted(challenge.realm), quoted(challenge.nonce), quoted(uri),
                  response, algorithm == DigestAlgorithm::kSha256 ? "SHA-256" : "MD5");
  if (challenge.has_opaque) value += ", opaque=" + quoted(challenge.opaque);
  if (challenge.has_qop_auth)
    value += fmt::format(", qop=auth, nc={}, cnonce={}", nonce_count, quoted(client_nonce));
  return value;
}

}  // namespace vas::signaling
