// A datagram that may be STUN: read, checked, answered. The first byte says whether it is signed for us
// first, so that what stands behind a good signature is reached too.
#include <vector>

#include "ice/agent/candidate.h"
#include "ice/agent/ice_lite.h"

namespace {

using namespace vas;
using namespace vas::ice;

// The same attributes under a good USERNAME and MESSAGE-INTEGRITY.
std::vector<std::uint8_t> signed_for_us(Bytes attributes) {
  std::vector<std::uint8_t> buffer(3 * attributes.size() + StunWriter::kMaxBytes);
  StunWriter writer(buffer, StunClass::kRequest, {1, 2, 3});
  writer.add(StunAttribute::kUsername, as_bytes("ours:them"));
  while (attributes.size() >= 3) {
    const std::size_t length = std::min<std::size_t>(attributes[2], attributes.size() - 3);
    writer.add(static_cast<StunAttribute>(load_u16(attributes, 0)), attributes.subspan(3, length));
    attributes = attributes.subspan(3 + length);
  }
  const Bytes whole = writer.sign("our-password-of-22-chars");
  return {whole.begin(), whole.end()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  IceLite lite({"ours", "our-password-of-22-chars"}, {"them", "their-password-22-chars"});
  const Bytes input(data + 1, size - 1);
  (void)parse_candidate({reinterpret_cast<const char*>(input.data()), input.size()});
  const bool is_signed = (data[0] & 1) != 0 && input.size() < 512;
  const auto bytes = is_signed ? signed_for_us(input) : std::vector<std::uint8_t>(input.begin(), input.end());
  const auto message = StunMessage::parse(bytes);
  const bool is_kept_alive = is_binding_indication(bytes);
  if (!message) return 0;
  if (is_kept_alive != (message->kind() == StunClass::kIndication)) __builtin_trap();
  (void)message->xor_mapped_address();
  (void)message->unknown_attribute();
  (void)local_ufrag_of(*message);
  std::array<std::uint8_t, StunWriter::kMaxBytes> reply{};
  const Time now{std::chrono::hours(1)};
  const Endpoint source = *Endpoint::parse((data[0] & 2) != 0 ? "[2001:db8::1]:4000" : "192.0.2.1:4000");
  const auto answer = lite.on_check(now, source, *message, reply);
  if (answer && !StunMessage::parse(*answer)) __builtin_trap();  // what we write, we can read
  return 0;
}
