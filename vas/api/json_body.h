// The body of a request as a JSON object.
#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "base/result.h"

namespace vas::api {

// The parser is recursive; what the document asks for is less than ten levels deep.
inline constexpr std::size_t kMaxJsonDepth = 32;

// The error is a sentence that says what is wrong and, where the text is no JSON, at which line and column:
// both from 1, a column counts characters.
Result<boost::json::object> parse_body(std::string_view text);

}  // namespace vas::api
