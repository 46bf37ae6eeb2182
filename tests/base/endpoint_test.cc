#include "base/endpoint.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace vas {
namespace {

TEST(Endpoint, ParsesBothFamiliesAndPrintsThemBack) {
  for (const char* text : {"192.0.2.1:5060", "[2001:db8::1]:5060", "127.0.0.1:0"}) {
    const auto endpoint = Endpoint::parse(text);
    ASSERT_TRUE(endpoint) << text;
    EXPECT_EQ(to_string(*endpoint), text);
  }
}

TEST(Endpoint, TakesTheDefaultPortWhereNoneIsWritten) {
  EXPECT_EQ(Endpoint::parse("192.0.2.1", 5060)->port, 5060);
  EXPECT_EQ(Endpoint::parse("2001:db8::1", 5060)->port, 5060);
  EXPECT_EQ(Endpoint::parse("[2001:db8::1]", 5060)->port, 5060);
}

TEST(Endpoint, NeverTakesANameOrANonsensePort) {
  for (const char* text :
       {"localhost:5060", "192.0.2.1:65536", "192.0.2.1:x", "192.0.2:5", "", ":5060", "[::1:5060"}) {
    EXPECT_FALSE(Endpoint::parse(text)) << text;
  }
}

TEST(Endpoint, GoesToASocketAddressAndBack) {
  for (const char* text : {"192.0.2.1:5060", "[2001:db8::1]:5061"}) {
    sockaddr_storage address{};
    Endpoint::parse(text)->to_sockaddr(address);
    EXPECT_EQ(to_string(*Endpoint::from_sockaddr(address)), text);
  }
}

TEST(Endpoint, IsIpv4InIpv6sClothesToo) {
  for (const char* text :
       {"[::ffff:192.0.2.1]:5060", "[::FFFF:c000:0201]:5060", "[0:0:0:0:0:ffff:192.0.2.1]:5060"})
    EXPECT_EQ(Endpoint::parse(text), Endpoint::parse("192.0.2.1:5060")) << text;
  EXPECT_EQ(IpAddress::parse("::ffff:0.0.0.0"), IpAddress::parse("0.0.0.0"));
  for (const char* text : {"::192.0.2.1", "::ffff:0:192.0.2.1", "64:ff9b::c000:201", "1::ffff:c000:201"})
    EXPECT_EQ(IpAddress::parse(text)->family, AddressFamily::kIpv6) << text;

  sockaddr_storage address{};
  auto* in6 = reinterpret_cast<sockaddr_in6*>(&address);
  in6->sin6_family = AF_INET6;
  in6->sin6_port = htons(5060);
  ASSERT_EQ(inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6->sin6_addr), 1);
  EXPECT_EQ(Endpoint::from_sockaddr(address), Endpoint::parse("192.0.2.1:5060"));
}

TEST(Network, OfMappedAddressesIsTheIpv4BlockThatItCovers) {
  EXPECT_EQ(Network::parse("::ffff:10.0.0.0/104"), Network::parse("10.0.0.0/8"));
  EXPECT_EQ(Network::parse("::ffff:10.0.0.1/128"), Network::parse("10.0.0.1"));
  EXPECT_EQ(Network::parse("::ffff:10.0.0.1"), Network::parse("10.0.0.1/32"));
  EXPECT_EQ(Network::parse("::ffff:0:0/96"), Network::parse("0.0.0.0/0"));
  for (const char* text : {"::ffff:10.0.0.0/95", "::ffff:10.0.0.0/8", "::ffff:10.0.0.0/129"})
    EXPECT_FALSE(Network::parse(text)) << text;
}

TEST(Network, ContainsWhatSharesItsPrefix) {
  const auto network = *Network::parse("10.1.128.0/17");
  EXPECT_TRUE(network.contains(*IpAddress::parse("10.1.255.1")));
  EXPECT_FALSE(network.contains(*IpAddress::parse("10.1.127.1")));
  EXPECT_FALSE(network.contains(*IpAddress::parse("::1")));
  EXPECT_TRUE(Network::parse("0.0.0.0/0")->contains(*IpAddress::parse("8.8.8.8")));
  for (const char* text : {"10.0.0.0/33", "10.0.0.0/", "x/8", "10.0.0.0/-1"})
    EXPECT_FALSE(Network::parse(text)) << text;
}

TEST(IpAddress, KnowsWhatIsPrivate) {
  for (const char* text :
       {"10.0.0.1", "172.31.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1", "fe80::1", "fd00::1"}) {
    EXPECT_TRUE(IpAddress::parse(text)->is_private()) << text;
  }
  for (const char* text : {"8.8.8.8", "172.32.0.1", "2001:db8::1"})
    EXPECT_FALSE(IpAddress::parse(text)->is_private()) << text;
}

TEST(IpAddress, IsNotFollowedByWhatAStringHidesBehindANul) {
  using namespace std::string_view_literals;
  EXPECT_FALSE(IpAddress::parse("192.0.2.1\0"sv));
  EXPECT_FALSE(IpAddress::parse("192.0.2.1\0evil"sv));
  EXPECT_FALSE(Endpoint::parse("2001:db8::1\0"sv, 5060));
}

TEST(IpAddressTest, GroupsAreNobodysAddress) {
  for (const char* text : {"224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1"})
    EXPECT_TRUE(IpAddress::parse(text)->is_multicast()) << text;
  for (const char* text : {"223.255.255.255", "240.0.0.1", "2001:db8::1", "0.0.0.0"})
    EXPECT_FALSE(IpAddress::parse(text)->is_multicast()) << text;
}

}  // namespace
}  // namespace vas
