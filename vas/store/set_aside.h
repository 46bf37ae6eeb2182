// Rows that the database refuses, kept in a file where an operator finds them. (docs/health.md)
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/thread_check.h"

namespace vas::store {

// Threads: keep() by the store's writer alone; count() by any.
// Bounds:  kMaxBytes of file; what comes then is counted and told, and its bytes are dropped.
class SetAside {
 public:
  static constexpr std::uint64_t kMaxBytes = 16 << 20;

  // `path`: made when the first row is kept; readable by the owner only, since rows hold live tokens. Empty:
  // no file.
  explicit SetAside(std::string path, std::uint64_t max_bytes = kMaxBytes);

  // `what`: the table and the row's key; `row`: any bytes at all.
  void keep(std::string_view what, std::string_view row, const std::string& why);
  // One whose asker is told of the refusal: it is counted, not kept.
  void count_told(std::string_view what, const std::string& why);
  std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  void count_and_tell(std::string_view what, const std::string& why, const std::string& where);
  bool append(const std::string& line);

  const std::string path_;
  const std::uint64_t max_bytes_;
  std::atomic<std::uint64_t> count_{0};
  std::int64_t told_at_ = 0;  // s
  ThreadCheck thread_check_{"SetAside"};
};

}  // namespace vas::store
