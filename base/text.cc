#include "base/text.h"

#include <algorithm>
#include <cstring>

namespace vas {
namespace {

// Of the character that `text` begins with; 0 where that is not well-formed (RFC 3629 §4).
std::size_t character_bytes(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t bytes = lead >= 0xc2 && lead < 0xe0   ? 2
                            : lead >= 0xe0 && lead < 0xf0 ? 3
                            : lead >= 0xf0 && lead < 0xf5 ? 4
                                                          : 0;
  if (bytes == 0 || text.size() < bytes) return 0;
  // The second byte's range is what keeps overlong forms and surrogates out.
  const unsigned char second = byte(1);
  const bool is_second_good = lead == 0xe0   ? second >= 0xa0
                              : lead == 0xed ? second < 0xa0
                              : lead == 0xf0 ? second >= 0x90
                              : lead == 0xf4 ? second < 0x90
                                             : true;
  if (!is_second_good) return 0;
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return bytes;
}

// Of what may be shown as it is: no control character of either set (U+0000 to 1F, 7F to 9F).
std::size_t printable_bytes(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x20 || lead == 0x7f) return 0;
  const std::size_t bytes = character_bytes(text);
  const bool is_c1 = bytes == 2 && lead == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
  return is_c1 ? 0 : bytes;
}

// Eight bytes of printable ASCII, as nearly all of them are.
bool are_plain(const char* eight) {
  constexpr std::uint64_t kEach = 0x0101010101010101;
  std::uint64_t word = 0;
  std::memcpy(&word, eight, sizeof word);
  const std::uint64_t without_delete = word ^ 0x7f * kEach;
  const std::uint64_t odd =
      word | ((word - 0x20 * kEach) & ~word) | ((without_delete - kEach) & ~without_delete);
  return (odd & 0x80 * kEach) == 0;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

std::string to_lower(std::string_view text) {
  std::string lowered(text);
  std::transform(lowered.begin(), lowered.end(), lowered.begin(), lower);
  return lowered;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return text.substr(0, 0);
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  for (;;) {
    const auto at = text.find(separator);
    pieces.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return pieces;
    text.remove_prefix(at + 1);
  }
}

std::string to_hex(Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 0x0f];
  }
  return hex;
}

std::optional<std::string_view> parameter(std::string_view text, std::string_view key) {
  const auto pieces = split(text, ';');
  for (std::size_t i = 1; i < pieces.size(); ++i) {
    const auto equals = pieces[i].find('=');
    if (!equals_ignoring_case(trim(pieces[i].substr(0, equals)), key)) continue;
    return equals == std::string_view::npos ? std::string_view{} : trim(pieces[i].substr(equals + 1));
  }
  return {};
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t bytes = character_bytes(text.substr(i));
    if (bytes == 0) return false;
    i += bytes;
  }
  return true;
}

std::size_t characters_in(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(
      utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::size_t printable_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (text.size() - at >= 8 && are_plain(text.data() + at)) {
      at += 8;
      continue;
    }
    const std::size_t bytes = printable_bytes(text.substr(at));
    if (bytes == 0) break;
    at += bytes;
  }
  return at;
}

std::string printable(std::string_view text) {
  std::string shown;
  for (;;) {
    const std::size_t good = printable_prefix(text);
    shown += text.substr(0, good);
    if (good == text.size()) return shown;
    shown += "\\x";
    shown += to_hex(as_bytes(text.substr(good, 1)));
    text.remove_prefix(good + 1);
  }
}

std::string with_stand_ins(std::string_view text, char stand_in) {
  std::string shown(text);
  for (std::size_t at = printable_prefix(shown); at < shown.size();
       at += printable_prefix(std::string_view(shown).substr(at)))
    shown[at] = stand_in;
  return shown;
}

}  // namespace vas
