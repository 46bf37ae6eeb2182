// Readers that forgive nothing: what we write must please each of them.
// On purpose none of our own code is in them.
#pragma once

#include <iconv.h>

#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace vas::test {

// By the C library's own decoder: overlong forms, surrogates and what is cut off are refused.
inline bool is_strict_utf8(std::string_view text) {
  static const iconv_t decoder = iconv_open("UTF-32LE", "UTF-8");
  iconv(decoder, nullptr, nullptr, nullptr, nullptr);
  std::string in(text), out(4 * text.size() + 16, '\0');
  char* from = in.data();
  char* to = out.data();
  std::size_t left = in.size(), room = out.size();
  return iconv(decoder, &from, &left, &to, &room) == 0 && left == 0;
}

// UTF-8 without a control character: U+0000 to 1F, 7F to 9F.
inline bool is_strict_line(std::string_view line) {
  if (!is_strict_utf8(line)) return false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto byte = static_cast<unsigned char>(line[i]);
    if (byte < 0x20 || byte == 0x7f) return false;
    if (byte == 0xc2 && static_cast<unsigned char>(line[i + 1]) < 0xa0) return false;
  }
  return true;
}

inline bool is_strict_json(std::string_view text) {
  boost::system::error_code failure;
  boost::json::parse(boost::json::string_view(text.data(), text.size()), failure);
  return !failure && is_strict_line(text);
}

// The lines between CRLFs; the last one must end too.
inline std::vector<std::string_view> crlf_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find("\r\n");
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  }
  return lines;
}

// The head of a SIP message: a start line, then fields with a token for a name, no fold,
// nothing that is no text.
inline bool is_strict_head(std::string_view message) {
  const auto end = message.find("\r\n\r\n");
  if (end == std::string_view::npos) return false;
  const auto lines = crlf_lines(message.substr(0, end));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty() || !is_strict_line(lines[i])) return false;
    const std::string_view name = lines[i].substr(0, lines[i].find_first_of(": "));
    constexpr std::string_view kToken =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~";
    const bool is_field = lines[i].find(':') != std::string_view::npos && !name.empty() &&
                          name.find_first_not_of(kToken) == std::string_view::npos;
    if (i > 0 && !is_field) return false;
  }
  return !lines.empty();
}

inline bool is_strict_sdp(std::string_view text) {
  if (!text.starts_with("v=0\r\n") || !text.ends_with("\r\n")) return false;
  for (const std::string_view line : crlf_lines(text)) {
    const bool is_field = line.size() > 2 && line[0] >= 'a' && line[0] <= 'z' && line[1] == '=';
    if (!is_field || !is_strict_line(line)) return false;
  }
  return true;
}

}  // namespace vas::test
