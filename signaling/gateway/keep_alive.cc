#include "signaling/gateway/keep_alive.h"

#include <cstdint>

#include "vas/base/bytes.h"

namespace vas::signaling {
namespace {

constexpr std::size_t kShorterThanSip = 32;  // a start line and one Via are more
constexpr std::size_t kStunHeader = 20;
constexpr std::string_view kMagicCookie("\x21\x12\xa4\x42", 4);
constexpr std::string_view kBindingRequest("\0\1", 2);
constexpr std::string_view kBindingSuccess("\1\1", 2);

bool is_stun(std::string_view text) {
  return text.size() >= kStunHeader && (static_cast<unsigned char>(text[0]) & 0xc0) == 0 &&
         text.substr(4, 4) == kMagicCookie && kStunHeader + load_u16(as_bytes(text), 2) == text.size();
}

void append_u16(std::string& out, std::size_t value) {
  out += static_cast<char>(value >> 8 & 0xff);
  out += static_cast<char>(value & 0xff);
}

}  // namespace

bool is_keep_alive(std::string_view message) {
  constexpr std::string_view kBlanks("\r\n\0 \t", 5);
  return message.size() < kShorterThanSip || message.find_first_not_of(kBlanks) == std::string_view::npos ||
         is_stun(message);
}

// A header and one XOR-MAPPED-ADDRESS: the port under the cookie's first half, the address under cookie and
// transaction.
std::string stun_answer(std::string_view datagram, const Endpoint& source) {
  if (!is_stun(datagram) || !datagram.starts_with(kBindingRequest)) return {};
  const bool is_ipv4 = source.address.family == AddressFamily::kIpv4;
  const std::size_t address_bytes = is_ipv4 ? 4 : 16;
  const std::string_view mask = datagram.substr(4, 16);
  std::string out(kBindingSuccess);
  append_u16(out, 4 + 4 + address_bytes);
  out += mask;
  append_u16(out, 0x0020);
  append_u16(out, 4 + address_bytes);
  append_u16(out, is_ipv4 ? 1 : 2);
  append_u16(out, source.port ^ 0x2112u);
  for (std::size_t i = 0; i < address_bytes; ++i)
    out += static_cast<char>(source.address.bytes[i] ^ static_cast<unsigned char>(mask[i]));
  return out;
}

}  // namespace vas::signaling
