#include "signaling/reason_header.h"

#include "signaling/gateway/sip_message.h"
#include "vas/base/text.h"

namespace vas::signaling {
namespace {

// The first piece of `text`, up to a `;` outside quotes; `text` moves past that.
std::string_view take_piece(std::string_view& text) {
  bool in_quotes = false;
  std::size_t at = 0;
  for (; at < text.size() && (in_quotes || text[at] != ';'); ++at) {
    if (text[at] == '"') in_quotes = !in_quotes;
    if (in_quotes && text[at] == '\\') ++at;
  }
  const std::string_view piece = trim(text.substr(0, at));
  text = at < text.size() ? text.substr(at + 1) : std::string_view();
  return piece;
}

// reason-params: `cause` has a number, others a token, a quoted text, or nothing.
bool is_parameter(std::string_view piece) {
  const auto equals = piece.find('=');
  const std::string_view name = trim(piece.substr(0, equals));
  if (!is_token(name)) return false;
  if (equals == std::string_view::npos) return true;
  const std::string_view value = trim(piece.substr(equals + 1));
  if (equals_ignoring_case(name, "cause")) return parse_number<unsigned>(value).has_value();
  return is_token(value) || is_quoted_string(value);
}

bool is_reason(std::string_view value) {
  if (value.size() > kMaxReasonBytes || !is_printable(value) || value.ends_with(';')) return false;
  if (!is_token(take_piece(value))) return false;  // the protocol
  while (!value.empty()) {
    if (!is_parameter(take_piece(value))) return false;
  }
  return true;
}

}  // namespace

std::string passable_reasons(std::string_view values) {
  std::string passed;
  std::size_t count = 0;
  while (!values.empty() && count < kMaxReasons) {
    const std::string_view value = first_element(values);
    values = rest_elements(values);
    if (!is_reason(value)) continue;
    passed.append(passed.empty() ? "" : ", ").append(value);
    ++count;
  }
  return passed;
}

}  // namespace vas::signaling
