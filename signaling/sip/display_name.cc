#include "signaling/sip/display_name.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "signaling/sip/sip_message.h"

namespace vas::signaling {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

bool is_tokens(std::string_view name) {
  while (!name.empty()) {
    const auto end = std::min(name.find_first_of(kBlanks), name.size());
    if (!is_token(name.substr(0, end))) return false;
    name = trim(name.substr(end));
  }
  return true;
}

// What stands before the address of one element and would have to be quoted; empty: nothing.
std::string_view bare_name(std::string_view element) {
  element = trim(element);
  if (element.starts_with('"')) return {};
  const auto open = element.find('<');
  if (open == std::string_view::npos) return {};
  const std::string_view name = trim(element.substr(0, open));
  return is_tokens(name) ? std::string_view() : name;
}

std::string quoted(std::string_view name) {
  std::string out = "\"";
  bool is_blank = false;
  for (const char c : name) {
    const bool was_blank = std::exchange(is_blank, kBlanks.find(c) != std::string_view::npos);
    if (is_blank && was_blank) continue;
    if (c == '"' || c == '\\') out += '\\';
    out += is_blank ? ' ' : c;
  }
  return out + '"';
}

}  // namespace

bool has_bare_name(std::string_view value) {
  const bool is_plain = value.starts_with('<') && value.find(',') == std::string_view::npos;
  if (is_plain) return false;  // as nearly all are
  const auto parts = elements(value);
  return std::any_of(parts.begin(), parts.end(),
                     [](std::string_view each) { return !bare_name(each).empty(); });
}

std::string with_quoted_names(std::string_view value) {
  std::string out;
  for (const std::string_view each : elements(value)) {
    if (!out.empty()) out += ", ";
    const std::string_view name = bare_name(each);
    if (name.empty()) {
      out += each;
    } else {
      out.append(quoted(name)).append(" ").append(each.substr(each.find('<')));
    }
  }
  return out;
}

}  // namespace vas::signaling
