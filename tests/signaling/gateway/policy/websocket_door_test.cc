#include "signaling/gateway/policy/websocket_door.h"

#include <gtest/gtest.h>

namespace vas::signaling {
namespace {

IpAddress address(std::string_view text) { return *IpAddress::parse(text); }

class WebSocketDoorTest : public testing::Test {
 protected:
  WebSocketDoorTest() {
    listeners_.add(
        {Transport::kWss, *Endpoint::parse("10.0.0.5:8443"), *Endpoint::parse("198.51.100.7:8443")});
    listeners_.add({Transport::kWs, *Endpoint::parse("127.0.0.1:5066"), *Endpoint::parse("127.0.0.1:5066")});
    listeners_.add(
        {Transport::kWs, *Endpoint::parse("[2001:db8::7]:5066"), *Endpoint::parse("[2001:db8::7]:5066")});
  }
  bool opens(std::string_view host, std::optional<std::string_view> origin,
             const WebSocketNames& names = {}) {
    WebSocketDoor door(listeners_, names);
    door.set_certificate_names({"sip.example", "*.calls.example", "203.0.113.1"});
    return door.refusal({host, origin, reached_, is_secure_}) == nullptr;
  }

  ListenerTable listeners_;
  IpAddress reached_ = address("10.0.0.5");
  bool is_secure_ = true;
};

TEST_F(WebSocketDoorTest, TakesOurAddressesAndTheCertificatesNamesAsHost) {
  for (const char* host : {"10.0.0.5", "10.0.0.5:8443", "198.51.100.7:443", "[2001:DB8:0::7]:8443",
                           "sip.example", "SIP.Example.:8443", "a.calls.example", "203.0.113.1"})
    EXPECT_TRUE(opens(host, {})) << host;
  for (const char* host :
       {"", "evil.example", "sip.example.evil.example", "calls.example", "a.b.calls.example",
        ".calls.example", "192.0.2.1", "[2001:db8::8]", "user@sip.example", "sip.example:port",
        "sip.example:99999", "[10.0.0.5", "10.0.0.5]", "[sip.example]x", "localhost", "0.0.0.0"})
    EXPECT_FALSE(opens(host, {})) << host;
}

TEST_F(WebSocketDoorTest, TheCertificateSpeaksForTlsAlone) {
  is_secure_ = false;
  EXPECT_FALSE(opens("sip.example", {}));
  EXPECT_TRUE(opens("10.0.0.5", {}));
}

TEST_F(WebSocketDoorTest, LocalhostIsWhoComesByLoopback) {
  reached_ = address("127.0.0.1");
  for (const char* host : {"localhost", "LOCALHOST:5066", "127.0.0.1", "[::1]:5066"})
    EXPECT_TRUE(opens(host, {})) << host;
  EXPECT_FALSE(opens("localhost.evil.example", {}));
}

TEST_F(WebSocketDoorTest, APageThatMakesItsNameResolveToUsIsRefused) {
  EXPECT_FALSE(opens("evil.example:8443", "http://evil.example"));
  EXPECT_FALSE(opens("evil.example", "https://evil.example", {.origins = {"*"}}));
  EXPECT_TRUE(opens("evil.example", "https://evil.example", {.hosts = {"Evil.Example"}}));
}

TEST_F(WebSocketDoorTest, WithoutConfigurationThePageIsOfTheHostItself) {
  for (const char* origin : {"https://sip.example", "http://sip.example:9999", "HTTPS://SIP.EXAMPLE"})
    EXPECT_TRUE(opens("sip.example:8443", origin)) << origin;
  for (const char* origin :
       {"https://evil.example", "null", "", "http://sip.example.evil.example", "sip.example",
        "http://sip.example@evil.example", "evil://sip.example", "http://10.0.0.5",
        "http://evil.example#sip.example", "http://evil.example\\@sip.example"})
    EXPECT_FALSE(opens("sip.example:8443", origin)) << origin;
}

TEST_F(WebSocketDoorTest, ConfiguredOriginsAreTheOnlyOnes) {
  const WebSocketNames names{.hosts = {"front.example"}, .origins = {"https://app.example"}};
  EXPECT_TRUE(opens("front.example", "https://app.example", names));
  EXPECT_TRUE(opens("sip.example", "https://app.example", names));
  EXPECT_FALSE(opens("sip.example", "https://sip.example", names));
  EXPECT_FALSE(opens("other.example", "https://app.example", names));
}

TEST(HostOfUrl, IsTheHostAlone) {
  EXPECT_EQ(host_of_url("wss://sip.example:8443/path"), "sip.example");
  EXPECT_EQ(host_of_url("http://[2001:db8::1]"), "[2001:db8::1]");
  EXPECT_EQ(host_of_url("ws://{host}:5066"), "{host}");
  for (const char* url : {"", "sip.example", "http://", "http://a@b", "http://[::1", "http://a:b"})
    EXPECT_EQ(host_of_url(url), "") << url;
}

}  // namespace
}  // namespace vas::signaling
