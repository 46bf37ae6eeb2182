// Which ids a node may draw, so that several nodes on one database never draw the same.
#pragma once

#include <cstdint>

namespace vas {

struct IdSpace {
  std::int64_t stride = 1;  // how many nodes there may be
  std::int64_t number = 0;  // this one's remainder

  // The first of ours above `last`.
  std::int64_t next(std::int64_t last) const {
    const std::int64_t first = last + 1;
    const std::int64_t remainder = first % stride;
    return first + (number - remainder + stride) % stride;
  }
};

}  // namespace vas
