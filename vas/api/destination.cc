#include "vas/api/destination.h"

#include <fmt/format.h>

#include <algorithm>

namespace vas::api {
namespace {

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kSeparators = "-.() ";
constexpr std::string_view kMarks = "-_.!~*'()&=+$,;?/#";

bool is_digit(char c) { return kDigits.find(c) != std::string_view::npos; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool can_be_dialled(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || is_letter(c) || kMarks.find(c) != std::string_view::npos;
  });
}

Error foreign_characters() {
  return {fmt::format("has characters that no number and no SIP user has: letters, digits and {} may be",
                      kMarks)};
}

Result<std::string> parse_e164(std::string_view after_plus) {
  const std::string_view digits = after_plus.substr(0, after_plus.find(';'));
  const std::string_view parameters = after_plus.substr(digits.size());
  if (!can_be_dialled(parameters)) return foreign_characters();
  std::string number = "+";
  for (const char c : digits) {
    if (kSeparators.find(c) != std::string_view::npos) continue;
    if (!is_digit(c)) return Error{"begins with + as E.164 numbers do, and has more than digits behind it"};
    number += c;
  }
  if (number.size() == 1 || number[1] == '0' || number.size() - 1 > kMaxE164Digits)
    return Error{fmt::format("is no E.164 number: behind the + come up to {} digits, and the first is no 0",
                             kMaxE164Digits)};
  return number.append(parameters);
}

}  // namespace

Result<std::string> parse_destination(std::string_view text) {
  if (text.starts_with('+')) return parse_e164(text.substr(1));
  if (!can_be_dialled(text)) return foreign_characters();
  const auto digits = static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_digit));
  if (digits == 0 && std::none_of(text.begin(), text.end(), is_letter))
    return Error{"has neither a digit nor a letter"};
  if (digits == text.size() && digits > kMaxDialledDigits)
    return Error{fmt::format("has {} digits: no network has more than {}", digits, kMaxDialledDigits)};
  return std::string(text);
}

}  // namespace vas::api
