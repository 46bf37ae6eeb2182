// One page of a list: what is asked for, and what comes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace vas {

struct PageRequest {
  std::string after;  // empty: from the start
  std::size_t limit = 1000;
};

struct Page {
  std::string json;                 // an array, ready to send
  std::optional<std::string> next;  // `after` of the next page; nothing: this is the last
};

}  // namespace vas
