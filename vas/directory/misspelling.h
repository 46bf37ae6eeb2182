// A field's name that is not known, and the known one that was probably meant.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vas::directory {

struct Misspelling {
  std::string given;
  std::string meant;
};

// The one of `known` that `name` is nearest to: but for case, hyphens, underscores and blanks, up to two
// letters (one, in a short name) are wrong, missing, too many or exchanged with their neighbour. Nothing
// where none is.
std::optional<std::string_view> name_meant(std::string_view name, const std::vector<std::string_view>& known);

}  // namespace vas::directory
