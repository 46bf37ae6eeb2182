// Whether the strings of a request are text. (docs/signaling.md, "Bytes")
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>

namespace vas::api {

// Says where a string or a field's name has a control character, those of `routing` and `profile` among them,
// which are kept as they come: U+0000 is no text to PostgreSQL, a line end is more than one header to SIP.
// `name` is what the sentence calls the value; empty for the body itself.
std::optional<std::string> fault_of_text(const boost::json::value& value, const std::string& name);

}  // namespace vas::api
