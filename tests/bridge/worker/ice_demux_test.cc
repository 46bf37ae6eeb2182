#include "bridge/worker/ice_demux.h"

#include <gtest/gtest.h>

namespace vas::bridge {
namespace {

const Endpoint kHome = *Endpoint::parse("203.0.113.5:40000");
const Endpoint kMobile = *Endpoint::parse("198.51.100.9:50000");
const Endpoint kSamePortByIpv6 = *Endpoint::parse("[2001:db8::5]:40000");

class IceDemuxTest : public testing::Test {
 protected:
  static bool always(const Endpoint&) { return true; }
  int at(const Endpoint& source) const {
    const auto* member = demux_.at(source);
    return member == nullptr ? 0 : member->leg();
  }
  int named(std::string_view ufrag) const {
    const auto* member = demux_.named(ufrag);
    return member == nullptr ? 0 : member->leg();
  }
  IceDemux<int> demux_;
};

TEST_F(IceDemuxTest, ALegIsKnownByItsUfragsAndByWhatItProvedUntilItLeaves) {
  auto one = demux_.join(1), two = demux_.join(2);
  one->name("aaaa");
  two->name("bbbb");
  one->hold(kHome, always);
  two->hold(kMobile, always);
  EXPECT_EQ(named("aaaa"), 1);
  EXPECT_EQ(named("bbbb"), 2);
  EXPECT_EQ(named("aaa"), 0);
  EXPECT_EQ(at(kHome), 1);
  EXPECT_EQ(at(kMobile), 2);
  EXPECT_EQ(at(kSamePortByIpv6), 0);
  one.reset();
  EXPECT_EQ(named("aaaa"), 0);
  EXPECT_EQ(at(kHome), 0);
  EXPECT_EQ(at(kMobile), 2);
}

TEST_F(IceDemuxTest, AfterARestartBothUfragsCountAndAfterAnotherTheOldestNoMore) {
  const auto leg = demux_.join(1);
  for (const char* ufrag : {"aaaa", "aaaa", "bbbb"}) leg->name(ufrag);
  EXPECT_EQ(named("aaaa"), 1);
  leg->name("cccc");
  EXPECT_EQ(named("aaaa"), 0);
  EXPECT_EQ(named("bbbb"), 1);
  EXPECT_EQ(named("cccc"), 1);
}

TEST_F(IceDemuxTest, AUfragThatAnotherLegHasStaysThatLegs) {
  const auto one = demux_.join(1);
  auto two = demux_.join(2);
  one->name("aaaa");
  two->name("aaaa");
  EXPECT_EQ(named("aaaa"), 1);
  two.reset();
  EXPECT_EQ(named("aaaa"), 1);
}

TEST_F(IceDemuxTest, AnAddressGoesOverAndItsFormerHolderTakesNothingAlong) {
  auto one = demux_.join(1);
  const auto two = demux_.join(2);
  one->hold(kHome, always);
  two->hold(kHome, always);
  EXPECT_EQ(at(kHome), 2);
  one.reset();
  EXPECT_EQ(at(kHome), 2);
}

TEST_F(IceDemuxTest, AddressesThatAreProvedNoLongerAreGivenUp) {
  const auto leg = demux_.join(1);
  for (std::uint16_t port = 1000; port < 2000; ++port) {
    leg->hold({kHome.address, port}, [&](const Endpoint& each) { return port - each.port < 8; });
  }
  int held = 0;
  for (std::uint16_t port = 1000; port < 2000; ++port) held += at({kHome.address, port}) != 0;
  EXPECT_EQ(held, 8);
  EXPECT_EQ(at({kHome.address, 1999}), 1);
}

}  // namespace
}  // namespace vas::bridge
