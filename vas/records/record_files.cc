#include "vas/records/record_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/log.h"
#include "base/rotated_files.h"
#include "base/write_all.h"
#include "vas/records/journal_format.h"

namespace vas::records {
namespace {

constexpr const char* kName = "records";

int open_to_append(const std::string& path) {
  return ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

// Where the last whole line ends: a crash may have cut the one behind it short.
off_t end_of_lines(int file, off_t size) {
  std::array<char, 65536> block;
  for (off_t end = size; end > 0;) {
    const off_t begin = std::max<off_t>(0, end - static_cast<off_t>(block.size()));
    const ssize_t got = ::pread(file, block.data(), static_cast<std::size_t>(end - begin), begin);
    if (got <= 0) return size;
    const auto newline = std::string_view(block.data(), static_cast<std::size_t>(got)).rfind('\n');
    if (newline != std::string_view::npos) return begin + static_cast<off_t>(newline) + 1;
    end = begin;
  }
  return 0;
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return {};
  std::string text(static_cast<std::size_t>(std::max<std::streamoff>(0, in.tellg())), '\0');
  in.seekg(0);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, in.gcount())));
  return text;
}

std::vector<std::string> record_files_in(const std::string& folder) { return rotated_files(folder, kName); }

Result<RecordFiles> RecordFiles::open(const std::string& folder, std::uint64_t rotate_at) {
  const std::string path = growing_path(folder, kName);
  const int file = open_to_append(path);
  if (file < 0) return Error{"cannot write " + path + ": " + std::strerror(errno)};
  const off_t whole = end_of_lines(file, ::lseek(file, 0, SEEK_END));
  if (whole < 0 || ::ftruncate(file, whole) != 0) {
    const Error error{"cannot write " + path + ": " + std::strerror(errno)};
    ::close(file);
    return error;
  }
  return RecordFiles(folder, rotate_at, file, static_cast<std::uint64_t>(whole));
}

RecordFiles::RecordFiles(RecordFiles&& other) noexcept
    : folder_(other.folder_),
      rotate_at_(other.rotate_at_),
      file_(std::exchange(other.file_, -1)),
      size_(other.size_) {}

RecordFiles::~RecordFiles() {
  if (file_ >= 0) ::close(file_);
}

bool RecordFiles::append(std::string_view lines) {
  if (lines.empty()) return true;
  if (size_ >= rotate_at_) rotate();
  if (!write_all(file_, lines)) {
    const int reason = errno;
    (void)!::ftruncate(file_, static_cast<off_t>(size_));
    errno = reason;
    return false;
  }
  size_ += lines.size();
  return true;
}

bool RecordFiles::sync() { return fdatasync(file_) == 0; }

// The next start reads the end of the older file, too, so it may happen at any time.
void RecordFiles::rotate() {
  const auto numbers = rotated_numbers(folder_, kName);
  const std::string away = rotated_path(folder_, kName, numbers.empty() ? 1 : numbers.back() + 1);
  const std::string path = growing_path(folder_, kName);
  if (!sync() || std::rename(path.c_str(), away.c_str()) != 0) return;
  const int fresh = open_to_append(path);
  if (fresh < 0) {
    log::error("", "{} could not be begun: {}; the old file goes on", path, std::strerror(errno));
    (void)std::rename(away.c_str(), path.c_str());
    return;
  }
  ::close(std::exchange(file_, fresh));
  size_ = 0;
}

std::set<std::string> RecordFiles::ids_in_last(std::uint64_t bytes,
                                               const std::set<std::string>& wanted) const {
  std::set<std::string> ids;
  const auto paths = record_files_in(folder_);
  for (auto path = paths.rbegin(); path != paths.rend() && bytes > 0; ++path) {
    std::ifstream in(*path, std::ios::binary | std::ios::ate);
    const auto size = static_cast<std::uint64_t>(std::max<std::streamoff>(0, in.tellg()));
    const std::uint64_t skipped = size > bytes ? size - bytes : 0;
    in.seekg(static_cast<std::streamoff>(skipped));
    std::string line;
    if (skipped > 0) std::getline(in, line);  // the rest of one
    while (std::getline(in, line)) {
      for (const Salvaged& each : salvage(line)) {
        if (wanted.contains(each.id)) ids.insert(each.id);
      }
    }
    bytes -= std::min(bytes, size);
  }
  return ids;
}

}  // namespace vas::records
