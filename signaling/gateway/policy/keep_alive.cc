#include "signaling/gateway/policy/keep_alive.h"

#include <array>

#include "base/bytes.h"
#include "ice/stun/stun_message.h"

namespace vas::signaling {

bool is_keep_alive(std::string_view message) {
  constexpr std::size_t kShorterThanSip = 32;  // a start line and one Via are more
  constexpr std::string_view kBlanks("\r\n\0 \t", 5);
  return message.size() < kShorterThanSip || message.find_first_not_of(kBlanks) == std::string_view::npos ||
         ice::is_stun(as_bytes(message));
}

std::string stun_response(std::string_view datagram, const Endpoint& source) {
  const Bytes request = as_bytes(datagram);
  if (!ice::is_binding_request(request)) return {};
  std::array<std::uint8_t, ice::StunWriter::kMaxBytes> room;
  ice::StunWriter writer(room, ice::StunClass::kSuccess, ice::transaction_of(request));
  writer.add_xor_mapped_address(source);
  const Bytes response = writer.finish();
  return {response.begin(), response.end()};
}

}  // namespace vas::signaling
