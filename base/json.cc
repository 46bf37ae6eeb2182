#include "base/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/text.h"

namespace vas {
namespace {

namespace json = boost::json;

void append(std::string& out, const json::value& value);

template <typename Number, typename... Format>
void append_number(std::string& out, Number number, Format... format) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, format...).ptr;
  out.append(digits.data(), end);
}

void append_double(std::string& out, double number) {
  if (!std::isfinite(number)) {  // 1e309, read: JSON has no such number
    out += "null";
    return;
  }
  const std::size_t begin = out.size();
  // Prices are read by people too: 0.000001 is no 1e-06.
  const double size = std::fabs(number);
  const bool is_usual = size == 0 || (size >= 1e-9 && size < 1e15);
  is_usual ? append_number(out, number, std::chars_format::fixed) : append_number(out, number);
  if (out.find_first_of(".e", begin) == std::string::npos) out += ".0";  // it stays no integer
}

void append_escaped(std::string& out, std::string_view printable) {
  for (const char c : printable) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
}

// Writes what `text` begins with, a control character or a byte that is no UTF-8; says how much that was.
std::size_t append_unprintable(std::string& out, std::string_view text) {
  const auto byte = static_cast<unsigned char>(text[0]);
  const bool is_c1 = byte == 0xc2 && is_utf8(text.substr(0, 2));
  if (byte >= 0x80 && !is_c1) {  // JSON has no way to say it
    out += "\\\\x" + to_hex(as_bytes(text.substr(0, 1)));
    return 1;
  }
  constexpr std::string_view kNamed = "\b\f\n\r\t", kLetters = "bfnrt";
  const auto named = kNamed.find(text[0]);
  if (named != std::string_view::npos) {
    out += {'\\', kLetters[named]};
  } else {
    out += "\\u00" + to_hex(as_bytes(text.substr(is_c1 ? 1 : 0, 1)));
  }
  return is_c1 ? 2 : 1;
}

void append_text(std::string& out, std::string_view text) {
  out += '"';
  for (;;) {
    const std::size_t good = printable_prefix(text);
    append_escaped(out, text.substr(0, good));
    text.remove_prefix(good);
    if (text.empty()) break;
    text.remove_prefix(append_unprintable(out, text));
  }
  out += '"';
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
