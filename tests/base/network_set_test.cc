#include "base/network_set.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace vas {
namespace {

Network network(const char* text) { return *Network::parse(text); }
IpAddress address(const char* text) { return *IpAddress::parse(text); }

TEST(NetworkSet, HoldsWhatIsInAnyOfItsBlocks) {
  NetworkSet set;
  EXPECT_FALSE(set.contains(address("192.0.2.1")));
  for (const char* each : {"192.0.2.0/24", "198.51.100.7", "10.0.0.0/9", "2001:db8::/33", "2001:db9::1"})
    set.add(network(each));
  for (const char* in :
       {"192.0.2.0", "192.0.2.255", "198.51.100.7", "10.127.255.255", "2001:db8:7fff::1", "2001:db9::1"})
    EXPECT_TRUE(set.contains(address(in))) << in;
  for (const char* out : {"192.0.3.0", "198.51.100.6", "10.128.0.0", "2001:db8:8000::", "2001:db9::2", "::"})
    EXPECT_FALSE(set.contains(address(out))) << out;
}

TEST(NetworkSet, AgreesWithEachBlockAskedAlone) {
  std::mt19937 random(7);
  std::vector<Network> blocks;
  NetworkSet set;
  for (int i = 0; i < 300; ++i) {
    Network block = network("0.0.0.0/0");
    for (int byte = 0; byte < 4; ++byte)
      block.address.bytes[static_cast<std::size_t>(byte)] = static_cast<std::uint8_t>(random());
    block.prefix_bits = 8 + static_cast<int>(random() % 25);
    blocks.push_back(block);
    set.add(block);
  }
  for (int i = 0; i < 20'000; ++i) {
    IpAddress asked = address("0.0.0.0");
    for (int byte = 0; byte < 4; ++byte)
      asked.bytes[static_cast<std::size_t>(byte)] = static_cast<std::uint8_t>(random());
    bool is_in = false;
    for (const Network& each : blocks) is_in = is_in || each.contains(asked);
    ASSERT_EQ(set.contains(asked), is_in) << to_string(asked);
  }
}

}  // namespace
}  // namespace vas
