// Addresses and ports as the kernel's entries have them. (relay_entry.h)
#pragma once

#include <cstring>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "bridge/leg/relay_entry.h"

namespace vas::bridge {

inline relay_address to_relay(const IpAddress& address) {
  relay_address out{};
  std::memcpy(out.words, address.bytes.data(), sizeof out.words);
  return out;
}

inline std::uint16_t to_relay(std::uint16_t port) {
  std::uint16_t out = 0;
  store_u16(MutableBytes(reinterpret_cast<std::uint8_t*>(&out), sizeof out), 0, port);
  return out;
}

}  // namespace vas::bridge
