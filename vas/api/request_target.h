// What a request's target says: its path's segments, and its query. (RFC 3986)
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vas/api/open_api.h"

namespace vas::api {

// Decoded; nothing where one is malformed, hides a control character or is not UTF-8.
std::optional<std::vector<std::string>> segments_of(std::string_view path);

// Says what is wrong with the query, or fills `into`.
std::optional<std::string> read_query(const Operation& operation, std::string_view query,
                                      boost::json::object& into);

}  // namespace vas::api
