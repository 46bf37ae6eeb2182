#include "signaling/sip/user_of.h"

#include <algorithm>

#include "base/text.h"
#include "signaling/sip/sip_message.h"

namespace vas::signaling {
namespace {

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto code = text[i] == '%' && text.size() - i > 2
                          ? parse_number<std::uint8_t>(text.substr(i + 1, 2), 16)
                          : std::nullopt;
    out += code ? static_cast<char>(*code) : text[i];
    if (code) i += 2;
  }
  return is_printable(out) ? out : std::string(text);
}

// Digits, and what people put between them (RFC 3966 §5.1.1).
std::string without_separators(std::string user) {
  constexpr std::string_view kSeparators = "-.() ", kDigits = "0123456789+*#";
  const auto is_separator = [&](char c) { return kSeparators.find(c) != std::string_view::npos; };
  const bool is_number = std::all_of(user.begin(), user.end(), [&](char c) {
    return is_separator(c) || kDigits.find(c) != std::string_view::npos;
  });
  if (is_number) std::erase_if(user, is_separator);
  return user;
}

}  // namespace

std::string user_of(std::string_view uri) {
  constexpr std::string_view kTel = "tel:";
  const bool is_tel = starts_with_ignoring_case(uri, kTel);
  const auto parsed = is_tel ? std::nullopt : SipUri::parse(uri);
  if (!is_tel && !parsed) return {};
  const std::string_view whole = is_tel ? uri.substr(kTel.size()) : parsed->user;
  std::string user = unescaped(whole.substr(0, whole.find_first_of(is_tel ? ";?" : ";:")));
  const bool is_phone = is_tel || user.starts_with('+') ||
                        equals_ignoring_case(parameter(parsed->parameters, "user").value_or(""), "phone");
  return is_phone ? without_separators(std::move(user)) : user;
}

}  // namespace vas::signaling
