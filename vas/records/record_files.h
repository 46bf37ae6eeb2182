// The finished records: `records.jsonl`, and the files that it became when it was large,
// `records-000001.jsonl` on.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace vas::records {

// Threads: one at a time.
// Bounds:  a file of about `rotate_at` bytes; older ones are kept, and are the operator's.
class RecordFiles {
 public:
  static constexpr std::uint64_t kRotateAt = 256 << 20;

  static Result<RecordFiles> open(const std::string& folder, std::uint64_t rotate_at = kRotateAt);
  ~RecordFiles();
  RecordFiles(RecordFiles&& other) noexcept;
  RecordFiles& operator=(RecordFiles&&) = delete;

  // Whole lines, or nothing of them.
  bool append(std::string_view lines);
  bool sync();

  // Which of `wanted` have a record in the last `bytes` or so, older files included:
  // all that is read of history.
  std::set<std::string> ids_in_last(std::uint64_t bytes, const std::set<std::string>& wanted) const;

 private:
  RecordFiles(std::string folder, std::uint64_t rotate_at, int file, std::uint64_t size)
      : folder_(std::move(folder)), rotate_at_(rotate_at), file_(file), size_(size) {}
  void rotate();

  const std::string folder_;
  const std::uint64_t rotate_at_;
  int file_;
  std::uint64_t size_;  // of whole lines
};

// The whole of a file; empty where it cannot be read.
std::string read_file(const std::string& path);

// Oldest first, the one that grows last.
std::vector<std::string> record_files_in(const std::string& folder);

}  // namespace vas::records
