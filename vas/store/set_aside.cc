#include "vas/store/set_aside.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

namespace vas::store {
namespace {

constexpr std::int64_t kTellAgainAfter = 60;  // s

// Every byte comes back: those that are not printable ASCII stand as \u00XX, the code point of their value.
std::string quoted(std::string_view bytes) {
  std::string text = "\"";
  for (const char each : bytes) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte < 0x20 || byte > 0x7e) {
      text += fmt::format("\\u{:04x}", byte);
      continue;
    }
    if (each == '"' || each == '\\') text += '\\';
    text += each;
  }
  return text + "\"";
}

}  // namespace

SetAside::SetAside(std::string path, std::uint64_t max_bytes)
    : path_(std::move(path)), max_bytes_(max_bytes) {}

void SetAside::keep(std::string_view what, std::string_view row, const std::string& why) {
  thread_check_.check();
  const bool is_kept = append(fmt::format("{{\"at\":\"{}\",\"what\":{},\"why\":{},\"row\":{}}}\n",
                                          to_rfc3339(wall_now()), quoted(what), quoted(why), quoted(row)));
  count_and_tell(what, why,
                 is_kept ? "it is kept in " + path_ + ": mend it and insert it by hand, or let it go"
                         : "it could not be kept: " + path_ + " is full, or cannot be written");
}

void SetAside::count_told(std::string_view what, const std::string& why) {
  thread_check_.check();
  count_and_tell(what, why, "whoever asked for it was told so");
}

void SetAside::count_and_tell(std::string_view what, const std::string& why, const std::string& where) {
  const auto count = count_.fetch_add(1, std::memory_order_relaxed) + 1;
  const std::int64_t now = monotonic_now().time_since_epoch() / std::chrono::seconds(1);
  if (count > 1 && now - told_at_ < kTellAgainAfter) return;
  told_at_ = now;
  log::error("",
             "the store refused a row ({}: {}), {} of them by now; {}. Everything else was committed "
             "(docs/health.md)",
             what, why, count, where);
}

bool SetAside::append(const std::string& line) {
  if (path_.empty()) return false;
  const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return false;
  struct stat status {};
  const bool fits =
      fstat(file, &status) == 0 && static_cast<std::uint64_t>(status.st_size) + line.size() <= max_bytes_;
  const bool is_written = fits &&
                          ::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
                          fdatasync(file) == 0;
  if (fits && !is_written) (void)!ftruncate(file, status.st_size);
  ::close(file);
  return is_written;
}

}  // namespace vas::store
