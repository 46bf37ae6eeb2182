// Display names as people and phones write them, made what the grammar wants. (RFC 3261 §25.1)
#pragma once

#include <string>
#include <string_view>

namespace vas::signaling {

// Whether a From, To or Contact value has a display name that is neither a quoted string nor tokens: letters
// of other scripts, an address, a path.
bool has_bare_name(std::string_view value);

// Such a value with those names quoted; all else as it came. Folds in a name stand for a blank.
std::string with_quoted_names(std::string_view value);

}  // namespace vas::signaling
