#include "vas/api/request_target.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "vas/api/body_text.h"

namespace vas::api {
namespace {

namespace json = boost::json;

std::optional<int> hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return {};
}

// Percent-decoding (RFC 3986 §2.1); nothing when it is malformed, hides a control character or is not UTF-8.
std::optional<std::string> decode(std::string_view segment) {
  std::string decoded;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] != '%') {
      decoded += segment[i];
      continue;
    }
    const auto high = i + 2 < segment.size() ? hex_value(segment[i + 1]) : std::nullopt;
    const auto low = i + 2 < segment.size() ? hex_value(segment[i + 2]) : std::nullopt;
    if (!high || !low) return {};
    decoded += static_cast<char>(*high << 4 | *low);
    i += 2;
  }
  if (!is_printable(decoded)) return {};
  return decoded;
}

// A query parameter's text as its schema wants it; the text itself where it does not look so.
json::value value_of(const Parameter& parameter, const std::string& text, bool is_bare) {
  if (parameter.schema.accepts("boolean") &&
      (text == "true" || text == "1" || (is_bare && parameter.may_be_bare)))
    return true;
  if (parameter.schema.accepts("boolean") && (text == "false" || text == "0")) return false;
  if (parameter.schema.accepts("integer") && !parameter.schema.accepts("string")) {
    if (const auto number = parse_number<std::int64_t>(text)) return *number;
  }
  return json::string(text);
}

}  // namespace

std::optional<std::vector<std::string>> segments_of(std::string_view path) {
  std::vector<std::string> segments;
  for (const std::string_view segment : split(path.substr(path.empty() ? 0 : 1), '/')) {
    auto decoded = decode(segment);
    if (!decoded) return {};
    segments.push_back(std::move(*decoded));
  }
  return segments;
}

std::optional<std::string> read_query(const Operation& operation, std::string_view query,
                                      json::object& into) {
  for (const std::string_view each : split(query, '&')) {
    if (each.empty()) continue;
    const auto sign = each.find('=');
    const auto name = decode(each.substr(0, sign));
    const auto text = decode(sign == std::string_view::npos ? std::string_view{} : each.substr(sign + 1));
    if (!name || !text) return "The query is not properly percent-encoded.";
    const auto known = std::find_if(operation.query.begin(), operation.query.end(),
                                    [&](const Parameter& parameter) { return parameter.name == *name; });
    if (known == operation.query.end()) {
      std::string names;
      for (const Parameter& parameter : operation.query)
        names += (names.empty() ? "`" : ", `") + parameter.name + "`";
      return fmt::format("`{}` is not a query parameter of this request; those are {}.", *name,
                         names.empty() ? "none" : names);
    }
    json::value value = value_of(*known, *text, sign == std::string_view::npos);
    if (auto fault = known->schema.fault_of(value, *name)) return fault;
    into[*name] = std::move(value);
  }
  return {};
}

}  // namespace vas::api
