#include "media/srtp/libssl_version.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <fstream>

namespace vas::media {
namespace {

constexpr unsigned long kFixed = 0x30000170;  // 3.0.23: major, minor, nothing, patch, nothing (OpenSSL 3)
constexpr std::string_view kFixedPackage = "3.0.22-1~deb12u2";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The end sorts after `~` and before all else, letters before what is none.
int order_of(std::string_view text) {
  if (text.empty() || is_digit(text[0])) return 0;
  if (text[0] == '~') return -1;
  const bool is_letter = (text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z');
  return static_cast<unsigned char>(text[0]) + (is_letter ? 0 : 256);
}

std::string_view pop_number(std::string_view& text) {
  while (text.starts_with('0')) text.remove_prefix(1);
  std::size_t length = 0;
  while (length < text.size() && is_digit(text[length])) ++length;
  const std::string_view number = text.substr(0, length);
  text.remove_prefix(length);
  return number;
}

}  // namespace

int compare_debian_versions(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty()) {
    while ((!a.empty() && !is_digit(a[0])) || (!b.empty() && !is_digit(b[0]))) {
      if (const int difference = order_of(a) - order_of(b); difference != 0) return difference;
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
    const std::string_view left = pop_number(a), right = pop_number(b);
    if (left.size() != right.size()) return left.size() < right.size() ? -1 : 1;
    if (const int difference = left.compare(right); difference != 0) return difference;
  }
  return 0;
}

std::optional<std::string> installed_version(const std::string& status_file, std::string_view package) {
  std::ifstream status(status_file);
  bool is_meant = false, is_installed = false;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Package: ")) is_meant = line.substr(9) == package;
    if (line.starts_with("Status: ")) is_installed = line.ends_with(" installed");
    if (is_meant && is_installed && line.starts_with("Version: ")) return line.substr(9);
  }
  return {};
}

std::optional<std::string> fault_of_libssl(unsigned long number, const std::optional<std::string>& package) {
  if (number >= kFixed) return {};
  // A package that is not of what is loaded says nothing about it.
  const std::string loaded =
      fmt::format("{}.{}.{}", number >> 28, (number >> 20) & 0xff, (number >> 4) & 0xff);
  const bool is_of_package = package && package->starts_with(loaded + "-");
  if (is_of_package && compare_debian_versions(*package, kFixedPackage) >= 0) return {};
  return fmt::format(
      "the libssl that is loaded is {}{}: before 3.0.23, or Debian's {}, one short datagram from anybody "
      "ends "
      "an encrypted call (CVE-2026-75806); install the security update of libssl3 and start again",
      loaded, is_of_package ? " (package " + *package + ")" : "", kFixedPackage);
}

std::optional<std::string> fault_of_libssl() {
  const unsigned long number = OpenSSL_version_num();
  if (number >= kFixed) return {};
  return fault_of_libssl(number, installed_version("/var/lib/dpkg/status", "libssl3"));
}

}  // namespace vas::media
