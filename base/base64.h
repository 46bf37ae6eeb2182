// Base64 as RFC 4648 §4 has it: padded, and one spelling for each bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace vas {

std::string to_base64(Bytes bytes);

// Nothing for an empty text, one that is not padded, has another character, or bits in its padding: only what
// to_base64() writes is read.
std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text);

}  // namespace vas
