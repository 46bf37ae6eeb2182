#include "vas/api/idempotency_key.h"

#include <algorithm>

#include "base/text.h"

namespace vas::api {
namespace {

// What follows the string's first quote. Parameters after its last one mean nothing here.
std::optional<std::string> quoted_key(std::string_view rest) {
  std::string key;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const char c = rest[i];
    if (c == '"') {
      const std::string_view after = trim(rest.substr(i + 1));
      return after.empty() || after.starts_with(';') ? std::optional(key) : std::nullopt;
    }
    if (c < ' ' || c > '~') return {};
    const bool is_escape = c == '\\';
    if (is_escape && (i + 1 == rest.size() || (rest[i + 1] != '"' && rest[i + 1] != '\\'))) return {};
    key += is_escape ? rest[++i] : c;
  }
  return {};
}

bool is_bare(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c <= '~' && c != '"' && c != '\\' && c != ',' && c != ';';
  });
}

}  // namespace

std::optional<std::string> parse_idempotency_key(std::string_view field) {
  const std::string_view text = trim(field);
  std::optional<std::string> key;
  if (text.starts_with('"')) {
    key = quoted_key(text.substr(1));
  } else if (is_bare(text)) {
    key = std::string(text);
  }
  if (!key || key->empty() || key->size() > kMaxIdempotencyKey) return {};
  return key;
}

}  // namespace vas::api
