// Which tokens live, and at which node, for those who only need to know that:
// by keyed hash, read by other threads.
#pragma once

#include <cstdint>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/thread_check.h"

namespace vas::sessions {

// Holds no token, only what a secret key makes of it; a look-up takes as long for any text of one length.
//
// Threads: add and remove from control, find from any.
class TokenIndex {
 public:
  TokenIndex();

  void add(std::string_view token, const std::string& node);
  void remove(std::string_view token);
  // The node that holds the session; nothing where there is none.
  std::optional<std::string> find(std::string_view token) const;

 private:
  std::uint64_t key_of(std::string_view token) const;

  std::string secret_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::uint64_t, std::string> nodes_;
  ThreadCheck thread_check_{"TokenIndex"};
};

}  // namespace vas::sessions
