#include "vas/base/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace vas {
namespace {

namespace json = boost::json;

void append(std::string& out, const json::value& value);

template <typename Number>
void append_number(std::string& out, Number number) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void append_double(std::string& out, double number) {
  if (!std::isfinite(number)) {  // 1e309, read: JSON has no such number
    out += "null";
    return;
  }
  const std::size_t begin = out.size();
  append_number(out, number);
  if (out.find_first_of(".e", begin) == std::string::npos) out += ".0";  // it stays no integer
}

void append_text(std::string& out, std::string_view text) {
  const bool is_plain = std::none_of(text.begin(), text.end(), [](unsigned char c) {
    return c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
  });
  if (is_plain) {
    out.append("\"").append(text).append("\"");
  } else {
    out += json::serialize(json::string_view(text.data(), text.size()));
  }
}

void append_object(std::string& out, const json::object& object) {
  out += '{';
  bool is_first = true;
  for (const auto& [key, value] : object) {
    if (!std::exchange(is_first, false)) out += ',';
    append_text(out, std::string_view(key));
    out += ':';
    append(out, value);
  }
  out += '}';
}

void append_array(std::string& out, const json::array& array) {
  out += '[';
  bool is_first = true;
  for (const json::value& value : array) {
    if (!std::exchange(is_first, false)) out += ',';
    append(out, value);
  }
  out += ']';
}

void append(std::string& out, const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: out += "null"; return;
    case json::kind::bool_: out += value.get_bool() ? "true" : "false"; return;
    case json::kind::int64: return append_number(out, value.get_int64());
    case json::kind::uint64: return append_number(out, value.get_uint64());
    case json::kind::double_: return append_double(out, value.get_double());
    case json::kind::string: return append_text(out, std::string_view(value.get_string()));
    case json::kind::array: return append_array(out, value.get_array());
    case json::kind::object: return append_object(out, value.get_object());
  }
}

}  // namespace

std::string to_text(const json::value& value) {
  std::string out;
  append(out, value);
  return out;
}

}  // namespace vas
