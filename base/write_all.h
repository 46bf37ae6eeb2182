// All of some bytes into a file, however many calls that takes.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace vas {

// False when the file takes no more; errno says why, and what was written stays.
inline bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace vas
