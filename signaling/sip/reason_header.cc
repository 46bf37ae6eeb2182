#include "signaling/sip/reason_header.h"

#include <algorithm>

#include "base/text.h"
#include "signaling/sip/sip_message.h"

namespace vas::signaling {
namespace {

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
  if (value.size() > kMaxReasonBytes || !is_printable(value)) return false;
  const auto pieces = elements(value, ';');  // the protocol and its parameters
  return is_token(pieces.front()) && std::all_of(pieces.begin() + 1, pieces.end(), is_parameter);
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
