#include "signaling/gateway/policy/hop_check.h"

#include <gtest/gtest.h>

namespace vas::signaling {
namespace {

using Ranges = AddressPolicy::PrivateRanges;

Flow to(const char* peer) { return {Transport::kUdp, *Endpoint::parse(peer), 0}; }

class HopCheckTest : public testing::Test {
 protected:
  HopCheckTest() {
    own_->set({.local = {*Network::parse("203.0.113.1")}, .groups = {}});
    listeners_.add({Transport::kUdp, *Endpoint::parse("0.0.0.0:5060"), *Endpoint::parse("9.9.9.9:5060")});
    listeners_.add({Transport::kTls, *Endpoint::parse("203.0.113.1:5061"), *Endpoint::parse("9.9.9.9:5061")});
  }
  bool may_go(const char* peer, Ranges ranges = Ranges::kClosed) const {
    return !fault_of_hop(&policy_, listeners_, to(peer), ranges);
  }

  std::shared_ptr<OwnAddresses> own_ = std::make_shared<OwnAddresses>();
  AddressPolicy policy_{
      AddressPolicy::Door::kPeer, {*Network::parse("127.0.0.0/8"), *Network::parse("203.0.113.1")}, own_};
  ListenerTable listeners_;
};

TEST_F(HopCheckTest, OurOwnListenersAreNoNextHopWhateverTheOperatorAllows) {
  for (const char* each : {"9.9.9.9:5060", "9.9.9.9:5061", "203.0.113.1:5060", "203.0.113.1:5061",
                           "127.0.0.1:5060", "127.1.2.3:5060", "[::ffff:203.0.113.1]:5060"})
    EXPECT_FALSE(may_go(each)) << each;
  for (const char* each : {"203.0.113.1:5080", "127.0.0.1:5080", "8.8.8.8:5060", "198.51.100.7:5060"})
    EXPECT_TRUE(may_go(each)) << each;
}

TEST_F(HopCheckTest, APrivateNextHopIsForThoseWhoAreNear) {
  EXPECT_FALSE(may_go("10.0.0.7:5060"));
  EXPECT_TRUE(may_go("10.0.0.7:5060", Ranges::kOpen));
  EXPECT_FALSE(may_go("169.254.169.254:80", Ranges::kOpen));
}

TEST_F(HopCheckTest, SaysWhyForPeople) {
  EXPECT_EQ(*fault_of_hop(&policy_, listeners_, to("10.0.0.7:5060"), Ranges::kClosed),
            "10.0.0.7:5060 is a private address, which `peer-allow` does not name");
  EXPECT_EQ(*fault_of_hop(&policy_, listeners_, to("9.9.9.9:5060"), Ranges::kClosed),
            "9.9.9.9:5060 is this server itself");
}

}  // namespace
}  // namespace vas::signaling
