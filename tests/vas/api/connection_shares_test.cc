#include "vas/api/connection_shares.h"

#include <gtest/gtest.h>

namespace vas::api {
namespace {

const IpAddress kAttacker = *IpAddress::parse("192.0.2.66");
const IpAddress kClient = *IpAddress::parse("192.0.2.7");

TEST(ConnectionShares, AnAddressThatHasItsShareMakesRoomForItself) {
  ConnectionShares shares(100, 2);
  EXPECT_FALSE(shares.add(1, kAttacker, false).makes_room);
  EXPECT_FALSE(shares.add(2, kAttacker, false).makes_room);
  EXPECT_FALSE(shares.add(3, kClient, false).makes_room);
  const auto place = shares.add(4, kAttacker, false);
  EXPECT_TRUE(place.is_taken);
  EXPECT_EQ(place.makes_room, 1u) << "the oldest of its own";
  EXPECT_EQ(shares.size(), 3u);
}

TEST(ConnectionShares, AnIpv6NetworkIsOneAddress) {
  ConnectionShares shares(100, 1);
  shares.add(1, *IpAddress::parse("2001:db8::1"), false);
  EXPECT_EQ(shares.add(2, *IpAddress::parse("2001:db8::2"), false).makes_room, 1u);
  EXPECT_FALSE(shares.add(3, *IpAddress::parse("2001:db8:0:1::1"), false).makes_room);
}

TEST(ConnectionShares, WhoProvedToBeSomebodyIsLeftAloneAndTakesNothingOfTheAddress) {
  ConnectionShares shares(3, 1);
  shares.add(1, kClient, false);
  shares.vouch(1, ConnectionShares::kPlatform);
  EXPECT_FALSE(shares.add(2, kClient, false).makes_room) << "a poll behind the same NAT";
  shares.vouch(2, ConnectionShares::kPlatform);
  shares.add(3, kAttacker, false);
  EXPECT_EQ(shares.add(4, *IpAddress::parse("192.0.2.67"), false).makes_room, 3u) << "the stranger goes";
  shares.vouch(4, ConnectionShares::kPlatform);
  EXPECT_FALSE(shares.add(5, kClient, false).is_taken) << "there is nobody to make room";
  shares.remove(2);
  EXPECT_TRUE(shares.add(5, kClient, false).is_taken);
}

TEST(ConnectionShares, OneOwnerHasNoMoreThanHalfForGood) {
  ConnectionShares shares(4, 100);
  for (ConnectionShares::Id id = 1; id <= 4; ++id) {
    shares.add(id, kAttacker, false);
    shares.vouch(id, 7);
  }
  EXPECT_EQ(shares.strangers(), 2u);
  EXPECT_EQ(shares.add(5, kClient, false).makes_room, 3u)
      << "what is over the half makes room as a stranger's";
  shares.remove(1);
  shares.vouch(4, 7);
  EXPECT_EQ(shares.strangers(), 1u) << "there is room for another of the owner's";
}

TEST(ConnectionShares, AProxyIsNotCountedByAddress) {
  ConnectionShares shares(3, 1);
  shares.add(1, kClient, true);
  EXPECT_FALSE(shares.add(2, kClient, true).makes_room);
  EXPECT_FALSE(shares.add(3, kClient, true).makes_room);
  EXPECT_EQ(shares.add(4, kClient, true).makes_room, 1u) << "all places are taken";
  shares.remove(99);
  EXPECT_EQ(shares.size(), 3u);
}

}  // namespace
}  // namespace vas::api
