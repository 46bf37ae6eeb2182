// A file that grows, "NAME.jsonl", and those that it became when it was large: "NAME-000001.jsonl" on.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/text.h"

namespace vas {

inline constexpr std::string_view kRotatedEnds = ".jsonl";

// Their numbers, ascending.
inline std::vector<int> rotated_numbers(const std::string& folder, const std::string& name) {
  std::vector<int> numbers;
  const std::string begins = name + "-";
  std::error_code ignored;
  for (const auto& each : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string file = each.path().filename();
    if (!file.starts_with(begins) || !file.ends_with(kRotatedEnds)) continue;
    if (file.size() < begins.size() + kRotatedEnds.size()) continue;
    const auto digits =
        std::string_view(file).substr(begins.size(), file.size() - begins.size() - kRotatedEnds.size());
    if (const auto number = parse_number<int>(digits)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

inline std::string rotated_path(const std::string& folder, const std::string& name, int number) {
  const std::string digits = std::to_string(number);
  const std::string zeros(digits.size() < 6 ? 6 - digits.size() : 0, '0');
  return folder + "/" + name + "-" + zeros + digits + std::string(kRotatedEnds);
}

inline std::string growing_path(const std::string& folder, const std::string& name) {
  return folder + "/" + name + std::string(kRotatedEnds);
}

// Oldest first, the one that grows last.
inline std::vector<std::string> rotated_files(const std::string& folder, const std::string& name) {
  std::vector<std::string> paths;
  for (const int number : rotated_numbers(folder, name)) paths.push_back(rotated_path(folder, name, number));
  paths.push_back(growing_path(folder, name));
  return paths;
}

}  // namespace vas
