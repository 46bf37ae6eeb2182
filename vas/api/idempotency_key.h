// The field `Idempotency-Key` of a request. (draft-ietf-httpapi-idempotency-key-header)
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vas::api {

inline constexpr std::size_t kMaxIdempotencyKey = 255;  // characters

// The key in a field's value: a string of RFC 8941 §3.3.3, or, as many send it, the same without its quotes.
// Nothing for an empty or overlong one, and for several.
std::optional<std::string> parse_idempotency_key(std::string_view field);

}  // namespace vas::api
