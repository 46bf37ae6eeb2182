#include "vas/api/json_body.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace vas::api {
namespace {

namespace json = boost::json;

std::string position_of(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::string_view of_line = before.substr(before.rfind('\n') + 1);  // of none: all
  return fmt::format("line {}, column {}", line, characters_in(of_line) + 1);
}

}  // namespace

Result<json::object> parse_body(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::stream_parser parser({}, options);
  boost::system::error_code failure;
  const std::size_t read = parser.write_some(text.data(), text.size(), failure);
  if (!failure && read < text.size()) failure = json::error::extra_data;
  if (!failure) parser.finish(failure);
  if (failure == json::error::too_deep)
    return Error{fmt::format("The body is nested over {} levels deep.", kMaxJsonDepth)};
  if (failure)
    return Error{fmt::format("The body is not JSON: {} at {}.", failure.message(), position_of(text, read))};
  json::value value = parser.release();
  if (!value.is_object()) return Error{"The body is not a JSON object."};
  return std::move(value.as_object());
}

}  // namespace vas::api
