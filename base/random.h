// The system's random source: tokens, tags, SSRCs. Tests hand seeded numbers to the core instead.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace vas {

void fill_random(MutableBytes out);
std::uint32_t random_u32();
std::uint64_t random_u64();

// `bytes` random bytes as lowercase hex digits, two a byte.
std::string random_hex(std::size_t bytes);

}  // namespace vas
