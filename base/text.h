// Small things done to ASCII text, locale-free.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace vas {

bool equals_ignoring_case(std::string_view a, std::string_view b);
bool starts_with_ignoring_case(std::string_view text, std::string_view prefix);
std::string to_lower(std::string_view text);
// Without spaces, tabs, CR and LF at both ends. Always a piece of `text`, even when it is empty.
std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
std::string to_hex(Bytes bytes);

// "key=value" pieces of `text` after its first `;`: the value of `key` (empty where it has none), or nothing.
std::optional<std::string_view> parameter(std::string_view text, std::string_view key);

// Whole `text` as a decimal number, or nothing.
template <typename Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
  Number value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || failure != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

// The value of an enumeration whose names stand in its order, or nothing.
template <typename Enumeration, typename Names>
std::optional<Enumeration> named(const Names& names, std::string_view name) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<Enumeration>(i);
  }
  return {};
}

// Well-formed UTF-8 (RFC 3629): no stray or missing continuation, no overlong form, no surrogate.
bool is_utf8(std::string_view text);

// Characters of well-formed UTF-8; of other text, the bytes that continue none.
std::size_t characters_in(std::string_view utf8);

// CR, LF, NUL and other control characters have no place in a header or a log line.
bool has_control_characters(std::string_view text);

// Well-formed UTF-8 without control characters, those of U+0080 to 9F among them: what a header, a record, a
// log line may hold. (docs/signaling.md, "Bytes")
std::size_t printable_prefix(std::string_view text);  // its bytes
inline bool is_printable(std::string_view text) { return printable_prefix(text) == text.size(); }
// `text` with each byte that has no place in such text written as \xHH.
std::string printable(std::string_view text);
// The same, as long as it was: a stand-in for each such byte.
std::string with_stand_ins(std::string_view text, char stand_in);

}  // namespace vas
