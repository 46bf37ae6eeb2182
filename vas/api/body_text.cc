#include "vas/api/body_text.h"

#include "base/text.h"

namespace vas::api {
namespace {

namespace json = boost::json;

std::optional<std::string> fault_of_members(const json::object& object, const std::string& name) {
  for (const auto& [key, value] : object) {
    const std::string member(key);
    const std::string inner = name.empty() ? member : name + "." + member;
    if (!is_printable(member))
      return "The field `" + printable(inner) + "` has control characters in its name.";
    if (auto fault = fault_of_text(value, inner)) return fault;
  }
  return {};
}

}  // namespace

std::optional<std::string> fault_of_text(const json::value& value, const std::string& name) {
  if (value.is_string() && !is_printable(std::string_view(value.as_string())))
    return "`" + name + "` has control characters, which belong in no text.";
  if (value.is_object()) return fault_of_members(value.as_object(), name);
  if (value.is_array()) {
    for (const json::value& each : value.as_array()) {
      if (auto fault = fault_of_text(each, name)) return fault;
    }
  }
  return {};
}

}  // namespace vas::api
