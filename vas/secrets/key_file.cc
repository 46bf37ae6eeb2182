#include "vas/secrets/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/random.h"
#include "base/text.h"

namespace vas::secrets {
namespace {

constexpr std::size_t kDigits = 2 * sizeof(Key);

Error failed(const std::string& what, const std::string& path) {
  return Error{what + " the key file " + path + ": " + std::strerror(errno)};
}

std::optional<Key> parse_key(std::string_view text) {
  text = trim(text);
  if (text.size() != kDigits) return {};
  Key key{};
  for (std::size_t i = 0; i < key.size(); ++i) {
    const auto value = parse_number<std::uint8_t>(text.substr(2 * i, 2), 16);
    if (!value) return {};
    key[i] = *value;
  }
  return key;
}

// A name in a folder is on disk when the folder is.
void sync_folder_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  const int folder = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  (void)!::fsync(folder);
  ::close(folder);
}

}  // namespace

Result<std::optional<Key>> read_key_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return std::optional<Key>();
  if (file < 0) return failed("cannot read", path);
  struct stat found {};
  char text[kDigits + 16];
  const bool is_known = ::fstat(file, &found) == 0;
  const ssize_t length = ::read(file, text, sizeof text);
  ::close(file);
  if (!is_known || length < 0) return failed("cannot read", path);
  if ((found.st_mode & S_IRWXO) != 0)
    return Error{"the key file " + path + " is open to everybody: chmod 600 " + path};
  const auto key = parse_key({text, static_cast<std::size_t>(length)});
  if (!key)
    return Error{"the key file " + path + " does not hold " + std::to_string(kDigits) +
                 " hex digits: bring back the file that was there"};
  return key;
}

Result<Key> make_key_file(const std::string& path) {
  const std::string text = random_hex(sizeof(Key)) + "\n";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return failed("cannot make", path);
  const bool is_written =
      ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  const int reason = errno;
  ::close(file);
  if (!is_written) {
    ::unlink(path.c_str());
    errno = reason;
    return failed("cannot write", path);
  }
  sync_folder_of(path);
  return *parse_key(text);
}

}  // namespace vas::secrets
