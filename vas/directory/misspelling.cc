#include "vas/directory/misspelling.h"

#include <algorithm>
#include <cctype>

namespace vas::directory {
namespace {

constexpr std::size_t kShortName = 8;  // letters: in these one may be wrong
constexpr std::size_t kLongName = 64;  // of no field of ours

std::string letters_of(std::string_view name) {
  std::string letters;
  for (const char c : name) {
    if (c != '-' && c != '_' && c != ' ')
      letters += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return letters;
}

// Letters to change, leave out, put in or exchange with their neighbour, to make `b` of `a`.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool is_exchanged = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_exchanged) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

std::optional<std::string_view> name_meant(std::string_view name,
                                           const std::vector<std::string_view>& known) {
  if (name.size() > kLongName) return {};
  const std::string letters = letters_of(name);
  std::optional<std::string_view> nearest;
  std::size_t fewest = letters.size() < kShortName ? 1 : 2;
  for (const std::string_view each : known) {
    const std::string other = letters_of(each);
    const auto [shorter, longer] = std::minmax({letters.size(), other.size()});
    if (longer - shorter > fewest) continue;  // each letter more is a change
    const std::size_t changes = distance(letters, other);
    if (changes > fewest || (nearest && changes == fewest)) continue;
    fewest = changes;
    nearest = each;
  }
  return nearest;
}

}  // namespace vas::directory
