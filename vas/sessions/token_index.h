// Which tokens live, for those who only need to know that: by keyed hash, read by other threads.
#pragma once

#include <cstdint>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_set>

namespace vas::sessions {

// Holds no token, only what a secret key makes of it; a look-up takes as long for any text of one length.
//
// Threads: add and remove from control, contains from any.
class TokenIndex {
 public:
  TokenIndex();

  void add(std::string_view token);
  void remove(std::string_view token);
  bool contains(std::string_view token) const;

 private:
  std::uint64_t key_of(std::string_view token) const;

  std::string secret_;
  mutable std::shared_mutex mutex_;
  std::unordered_set<std::uint64_t> keys_;
};

}  // namespace vas::sessions
