#include "signaling/gateway/trace/message_secrets.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "base/text.h"

namespace vas::signaling {
namespace {

// As the log shows: enough to find a call by, too little to dial with.
constexpr std::size_t kHintDigits = 8;
constexpr std::string_view kBlanks = " \t";

// How far a secret goes on behind its name.
enum class Extent {
  kField,      // to the end of its header field or line, with the folds
  kToken,      // the same where it has a field of its own, else to what ends a part of a URI
  kKey,        // to what may follow a key in its line
  kParameter,  // a parameter's value, quoted or not
  kScheme      // to the end of the field, behind the scheme; a digest has its own name
};

struct Secret {
  std::string_view name;    // small letters
  std::string_view before;  // what parts it from its value: one of these
  Extent extent;
  std::size_t kept = 0;
};

constexpr std::array kSecrets = {Secret{"x-cloudonix-session", ":=", Extent::kToken, kHintDigits},
                                 Secret{"response", "=", Extent::kParameter},
                                 Secret{"authorization", ":", Extent::kScheme},
                                 Secret{"inline", ":", Extent::kKey},
                                 Secret{"ice-pwd", ":", Extent::kField},
                                 Secret{"key-mgmt", ":", Extent::kField}};

constexpr std::string_view kFirstLetters = "xraik%";  // or an escape

char small(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

bool is_line_begin(std::string_view text, std::size_t at) {
  return at == 0 || text[at - 1] == '\n' || text[at - 1] == '\r';
}

// The character at `at`, escaped (RFC 3986 §2.1) or not, and where the next one stands.
std::pair<char, std::size_t> character_at(std::string_view text, std::size_t at) {
  if (text[at] == '%' && text.size() - at > 2) {
    if (const auto code = parse_number<std::uint8_t>(text.substr(at + 1, 2), 16))
      return {static_cast<char>(*code), at + 3};
  }
  return {text[at], at + 1};
}

// Where `name` ends that stands at `at`; nothing where it does not.
std::optional<std::size_t> end_of_name(std::string_view text, std::size_t at, std::string_view name) {
  for (const char wanted : name) {
    if (at >= text.size()) return {};
    const auto [found, next] = character_at(text, at);
    if (small(found) != wanted) return {};
    at = next;
  }
  return at;
}

// Behind blanks and folds; a line end that begins no fold is not passed.
std::size_t skip_blanks(std::string_view text, std::size_t at) {
  for (;;) {
    at = std::min(text.find_first_not_of(kBlanks, at), text.size());
    std::size_t fold = at;
    if (text.substr(fold, 1) == "\r") ++fold;
    if (text.substr(fold, 1) == "\n") ++fold;
    if (fold == at || fold >= text.size() || kBlanks.find(text[fold]) == std::string_view::npos) return at;
    at = fold;
  }
}

// The end of the line that `at` stands in, with the folds that belong to it.
std::size_t end_of_field(std::string_view text, std::size_t at) {
  for (;;) {
    at = std::min(text.find('\n', at), text.size());
    if (at + 1 >= text.size() || kBlanks.find(text[at + 1]) == std::string_view::npos) return at;
    ++at;
  }
}

std::size_t end_of_parameter(std::string_view text, std::size_t at) {
  if (text.substr(at, 1) != "\"") return std::min(text.find_first_of(" \t\r\n,;", at), text.size());
  const std::size_t last = end_of_field(text, at);
  for (std::size_t i = at + 1; i < last; ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i;
    }
  }
  return last;
}

// A value inside a URI, or wherever else it is not a field of its own.
std::size_t end_of_piece(std::string_view text, std::size_t at) {
  return std::min(text.find_first_of(" \t\r\n,;&?<>\"'", at), text.size());
}

std::size_t end_of(std::string_view text, std::size_t name_at, std::size_t value_at, Extent extent) {
  switch (extent) {
    case Extent::kToken:
      return is_line_begin(text, name_at) ? end_of_field(text, value_at) : end_of_piece(text, value_at);
    case Extent::kField: return end_of_field(text, value_at);
    case Extent::kKey: return std::min(text.find_first_of("| \t\r\n;", value_at), text.size());
    case Extent::kParameter: return end_of_parameter(text, value_at);
    case Extent::kScheme: return end_of_field(text, value_at);
  }
  return text.size();
}

// Line ends and quotes stay, so that the message keeps its shape.
void blot(std::string& text, std::size_t from, std::size_t end) {
  for (std::size_t i = from; i < end; ++i) {
    if (std::string_view("\r\n\"").find(text[i]) == std::string_view::npos) text[i] = 'x';
  }
}

// Where the value begins whose name ends at `at`; nothing where none follows.
std::optional<std::size_t> value_of(std::string_view text, std::size_t at, const Secret& secret) {
  at = skip_blanks(text, at);
  if (at >= text.size()) return {};
  const auto [separator, next] = character_at(text, at);
  if (secret.before.find(separator) == std::string_view::npos) return {};
  return skip_blanks(text, next);
}

void blot_secret(std::string& text, std::size_t name_at, std::size_t name_end, const Secret& secret) {
  auto from = value_of(text, name_end, secret);
  if (!from) return;
  const std::size_t end = end_of(text, name_at, *from, secret.extent);
  if (secret.extent == Extent::kScheme) {
    constexpr std::string_view kDigest = "digest";
    if (end_of_name(text, *from, kDigest)) return;
    *from = std::min(text.find_first_of(" \t\r\n", *from), end);
  }
  blot(text, std::min(*from + secret.kept, end), end);
}

}  // namespace

std::string without_secrets(std::string_view text, std::string_view token) {
  std::string shown(text);
  for (std::size_t at = 0; at < shown.size(); ++at) {
    const bool may_begin_one = kFirstLetters.find(small(shown[at])) != std::string_view::npos;
    for (const Secret& secret : kSecrets) {
      if (!may_begin_one) break;
      if (const auto end = end_of_name(shown, at, secret.name)) blot_secret(shown, at, *end, secret);
    }
    const bool is_key_line = is_line_begin(shown, at) && shown.compare(at, 2, "k=") == 0;  // RFC 8866 §5.12
    if (is_key_line) blot(shown, at + 2, end_of_field(shown, at));
    if (token.size() > kHintDigits &&
        equals_ignoring_case(std::string_view(shown).substr(at, token.size()), token))
      blot(shown, at + kHintDigits, at + token.size());
  }
  return shown;
}

}  // namespace vas::signaling
