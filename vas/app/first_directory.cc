#include "vas/app/first_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/log.h"
#include "base/random.h"

namespace vas::app {
namespace {

Result<directory::Change> parse_directory_file(const std::string& path, const Result<std::string>& text) {
  if (!text) return Error{text.error()};
  auto entries = directory::parse_directory(*text);
  if (!entries) return Error{path + ": " + entries.error()};
  return entries;
}

// Makes the first key of a node that has none, and leaves it where only its operator reads it.
Result<directory::Change> first_key(const std::string& data_dir) {
  const std::string path = data_dir + "/system.key";
  const std::string key = "XI" + random_hex(16);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::string line = key + "\n";
  const bool is_written =
      file >= 0 && ::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  if (file >= 0) ::close(file);
  if (!is_written) return Error{"cannot write " + path + ": " + std::strerror(errno)};
  log::info("", "the store is empty: the first system key is in {}", path);
  directory::ApiKey entry{.id = 1, .name = "first key", .sha256 = directory::hash_of_key(key)};
  entry.scope = directory::KeyScope::kSystem;
  return directory::Change{directory::Entry(entry)};
}

}  // namespace

Result<std::string> read_directory_file(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream in(path);
  if (!in) return Error{"cannot read the directory file " + path};
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

Result<directory::Change> first_directory(const Config& config, const Result<std::string>& text) {
  if (config.directory_file.empty()) return first_key(config.data_dir);
  return parse_directory_file(config.directory_file, text);
}

}  // namespace vas::app
