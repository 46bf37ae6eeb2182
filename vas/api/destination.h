// Whether a number can be dialled at all.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace vas::api {

inline constexpr std::size_t kMaxE164Digits = 15;  // ITU-T E.164 §6.2.1
// E.164's, behind a carrier's access code and an international prefix, such as 1010288 011.
inline constexpr std::size_t kMaxDialledDigits = 25;

// `text` as it goes out; the error says why no network has it, as the end of a sentence that begins with its
// field's name.
//
// With a `+` in front E.164 is meant: then it is digits, the first of them no 0, without the separators that
// people write between them (RFC 3966 §5.1.1), which are left out; parameters may follow (RFC 4694). Anything
// else is an extension, a service code or the user of a SIP server behind a trunk: what may stand in a SIP
// URI's user (RFC 3261 §25.1) and `#`, with a letter or a digit in it; or digits alone, which have no more
// than kMaxDialledDigits.
Result<std::string> parse_destination(std::string_view text);

}  // namespace vas::api
