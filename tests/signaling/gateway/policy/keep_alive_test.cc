#include "signaling/gateway/policy/keep_alive.h"

#include <gtest/gtest.h>

#include "ice/stun/stun_message.h"

namespace vas::signaling {
namespace {

// As a phone sends it: 20 bytes, no attribute (RFC 5626 §4.4.2).
std::string binding_request() { return std::string("\0\1\0\0\x21\x12\xa4\x42", 8) + "abcdefghijkl"; }

TEST(KeepAlive, IsWhatPhonesSendAndWhatIsTooShortForSip) {
  for (const std::string& each :
       {std::string("\r\n"), std::string("\r\n\r\n"), std::string(1, '\0'), std::string(4, '\0'),
        std::string(), std::string(" "), std::string("jaK"), std::string("jaK\0", 4), std::string("0"),
        std::string("ping\r\n\r\n"), std::string(200, '\n'), binding_request()})
    EXPECT_TRUE(is_keep_alive(each)) << each;
  EXPECT_FALSE(is_keep_alive("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n\r\n"));
  EXPECT_FALSE(is_keep_alive(std::string(40, 'x')));
  EXPECT_FALSE(is_keep_alive(binding_request() + "more than its length says"));
}

TEST(KeepAlive, AStunAnswerSaysWhereItsAskerWasSeen) {
  for (const char* source : {"203.0.113.5:61000", "[2001:db8::17]:5060"}) {
    const Endpoint seen = *Endpoint::parse(source);
    const std::string response = stun_response(binding_request(), seen);
    EXPECT_TRUE(response.starts_with(std::string("\1\1", 2)));
    EXPECT_EQ(response.size(), seen.address.family == AddressFamily::kIpv4 ? 32u : 44u);
    EXPECT_EQ(response.substr(4, 16), binding_request().substr(4));
    // What ICE's writer makes of the same.
    std::array<std::uint8_t, ice::StunWriter::kMaxBytes> buffer{};
    ice::StunTransaction transaction{};
    std::copy_n("abcdefghijkl", 12, transaction.begin());
    ice::StunWriter writer(buffer, ice::StunClass::kSuccess, transaction);
    writer.add_xor_mapped_address(seen);
    EXPECT_EQ(response.substr(20),
              std::string(reinterpret_cast<const char*>(buffer.data()) + 20, response.size() - 20));
  }
}

TEST(KeepAlive, NothingButABindingRequestIsAnswered) {
  const Endpoint source = *Endpoint::parse("203.0.113.5:61000");
  std::string indication = binding_request();
  indication[1] = 0x11;
  for (const std::string& each : {std::string("jaK"), std::string("\r\n\r\n"), indication})
    EXPECT_TRUE(stun_response(each, source).empty());
  const std::string whole = binding_request();
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes)
    EXPECT_TRUE(stun_response(whole.substr(0, bytes), source).empty()) << bytes;
}

}  // namespace
}  // namespace vas::signaling
