// Borrowed bytes and big-endian access: how every parser in the project reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace vas {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

// The caller has checked that `at` and the bytes after it are inside `from`.
constexpr std::uint16_t load_u16(Bytes from, std::size_t at) {
  return static_cast<std::uint16_t>(from[at] << 8 | from[at + 1]);
}

constexpr std::uint32_t load_u32(Bytes from, std::size_t at) {
  return std::uint32_t{load_u16(from, at)} << 16 | load_u16(from, at + 2);
}

constexpr void store_u16(MutableBytes to, std::size_t at, std::uint16_t value) {
  to[at] = static_cast<std::uint8_t>(value >> 8);
  to[at + 1] = static_cast<std::uint8_t>(value);
}

constexpr void store_u32(MutableBytes to, std::size_t at, std::uint32_t value) {
  store_u16(to, at, static_cast<std::uint16_t>(value >> 16));
  store_u16(to, at + 2, static_cast<std::uint16_t>(value));
}

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace vas
