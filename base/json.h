// Reading fields out of JSON objects that we wrote ourselves, and writing what may be absent as null.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace vas {

// As people read it: the library writes 0.02 as 2E-2. Always well-formed, whatever bytes the strings hold:
// the library copies what is no UTF-8, here it becomes `\xHH`; control characters of both sets are escaped.
// For values of our own or parsed ones, whose depth is bounded.
std::string to_text(const boost::json::value& value);

// Empty where the field is missing or no string.
inline std::string text_field(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

inline std::optional<std::int64_t> integer_field(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_int64()) return {};
  return value->as_int64();
}

// Epoch milliseconds.
inline std::optional<WallTime> time_field(const boost::json::object& object, std::string_view key) {
  const auto milliseconds = integer_field(object, key);
  if (!milliseconds) return {};
  return WallTime(std::chrono::milliseconds(*milliseconds));
}

// Each field that is named as the first of a pair gets the name of the second, in place of one that has it.
template <typename Pairs>
void respell(boost::json::object& object, const Pairs& pairs) {
  for (const auto& [from, to] : pairs) {
    if (const boost::json::value* value = object.if_contains(from)) {
      object[to] = boost::json::value(*value);
      object.erase(from);
    }
  }
}

template <typename T>
boost::json::value or_null(const std::optional<T>& value) {
  return value ? boost::json::value(*value) : boost::json::value(nullptr);
}

inline boost::json::value or_null(const std::optional<WallTime>& time) {
  return time ? boost::json::value(time->time_since_epoch().count()) : boost::json::value(nullptr);
}

inline boost::json::value or_null(const std::string& text) {
  return text.empty() ? boost::json::value(nullptr) : boost::json::value(text);
}

// Nothing when `text` is no JSON object, or one nested deeper than the library's 32 levels.
inline std::optional<boost::json::object> parse_object(std::string_view text) {
  boost::system::error_code failure;
  boost::json::value value = boost::json::parse(text, failure);
  if (failure || !value.is_object()) return {};
  return std::move(value.as_object());
}

}  // namespace vas
