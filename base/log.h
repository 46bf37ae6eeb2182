// Log lines: one event a line, the call's token in each, no secret in any.
#pragma once

#include <spdlog/spdlog.h>

#include <string>
#include <string_view>

#include "base/text.h"

namespace vas::log {

// A token as it may stand in a log: enough of it to find the call, too little to dial with.
inline std::string token_hint(std::string_view token) {
  return token.empty() ? "-" : std::string(token.substr(0, 8));
}

// A line as it is written: no byte of a peer's begins another one, or speaks to a terminal.
template <typename... Args>
std::string line(std::string_view token, spdlog::format_string_t<Args...> text, Args&&... args) {
  return printable("[" + token_hint(token) + "] " + fmt::format(text, std::forward<Args>(args)...));
}

// Log calls name the token's hint first: log::info(token, "parked, caller {}", number).
// Threads: any but the media workers, which never log on the packet path.
template <typename... Args>
void info(std::string_view token, spdlog::format_string_t<Args...> text, Args&&... args) {
  spdlog::info(line(token, text, std::forward<Args>(args)...));
}

template <typename... Args>
void warn(std::string_view token, spdlog::format_string_t<Args...> text, Args&&... args) {
  spdlog::warn(line(token, text, std::forward<Args>(args)...));
}

template <typename... Args>
void error(std::string_view token, spdlog::format_string_t<Args...> text, Args&&... args) {
  spdlog::error(line(token, text, std::forward<Args>(args)...));
}

}  // namespace vas::log
