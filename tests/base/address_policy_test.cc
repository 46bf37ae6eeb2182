#include "base/address_policy.h"

#include <gtest/gtest.h>

namespace vas {
namespace {

using Door = AddressPolicy::Door;
using Ranges = AddressPolicy::PrivateRanges;

IpAddress at(const char* text) { return *IpAddress::parse(text); }

std::shared_ptr<OwnAddresses> own() {
  auto addresses = std::make_shared<OwnAddresses>();
  addresses->set({.local = {*Network::parse("203.0.113.5"), *Network::parse("10.0.0.5"),
                            *Network::parse("9.9.9.9"), *Network::parse("2600::5")},
                  .groups = {*Network::parse("10.0.0.255"), *Network::parse("9.9.9.255")}});
  return addresses;
}

TEST(AddressPolicy, KnowsWhatAnAddressIs) {
  const AddressPolicy policy(Door::kPeer, {}, own());
  const struct {
    AddressKind kind;
    std::vector<const char*> addresses;
  } kTable[] = {
      {AddressKind::kPublic,
       {"8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808",
        "2002:808:808::1"}},
      {AddressKind::kDocumentation,
       {"192.0.2.1", "198.51.100.1", "203.0.113.9", "198.19.0.1", "2001:db8::1"}},
      {AddressKind::kPrivate,
       {"10.0.0.6", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fc00::1", "fd12::1",
        "::ffff:10.0.0.6", "64:ff9b::a00:6", "2002:a00:6::"}},
      {AddressKind::kReserved,
       {"0.1.2.3", "192.0.0.8", "192.88.99.1", "240.0.0.1", "100::1", "2001::1", "2001:0:1::", "64:ff9b:1::1",
        "fec0::1", "::1:2"}},
      {AddressKind::kLinkLocal, {"169.254.0.1", "fe80::1", "::ffff:169.254.0.1"}},
      {AddressKind::kMetadata,
       {"169.254.169.254", "fd00:ec2::254", "::ffff:a9fe:a9fe", "100.100.100.200", "168.63.129.16",
        "64:ff9b::a9fe:a9fe"}},
      {AddressKind::kOwn,
       {"203.0.113.5", "10.0.0.5", "9.9.9.9", "2600::5", "::ffff:9.9.9.9", "::9.9.9.9", "64:ff9b::909:909",
        "2002:909:909::1", "::ffff:0:9.9.9.9"}},
      {AddressKind::kLoopback,
       {"127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
        "2002:7f00:1::", "::ffff:0:7f00:1"}},
      {AddressKind::kGroup,
       {"224.0.0.251", "239.255.255.250", "255.255.255.255", "ff02::1", "10.0.0.255", "9.9.9.255",
        "::ffff:224.0.0.1", "::ffff:9.9.9.255"}},
      {AddressKind::kUnspecified, {"0.0.0.0", "::", "::ffff:0.0.0.0"}},
  };
  for (const auto& row : kTable) {
    for (const char* each : row.addresses)
      EXPECT_STREQ(to_string(policy.kind_of(at(each))), to_string(row.kind)) << each;
  }
}

TEST(AddressPolicy, ByDefaultAPeerReachesWhatIsPublic) {
  const AddressPolicy policy(Door::kPeer, {}, own());
  for (const char* each : {"8.8.8.8", "198.51.100.1", "2606:4700::1"})
    EXPECT_FALSE(policy.refusal_of(at(each))) << each;
  for (const char* each : {"127.0.0.1", "::1", "10.0.0.6", "9.9.9.9", "169.254.169.254", "169.254.1.1",
                           "0.0.0.0", "224.0.0.1", "255.255.255.255", "9.9.9.255", "240.0.0.1", "2001::1",
                           "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fd00:ec2::254"})
    EXPECT_TRUE(policy.refusal_of(at(each))) << each;
}

TEST(AddressPolicy, WhatIsNearOpensPrivateRangesAndNothingElse) {
  const AddressPolicy policy(Door::kPeer, {}, own());
  for (const char* each : {"10.0.0.6", "192.168.1.1", "fd12::1", "100.64.0.1"})
    EXPECT_FALSE(policy.refusal_of(at(each), Ranges::kOpen)) << each;
  for (const char* each : {"127.0.0.1", "10.0.0.5", "169.254.169.254", "100.100.100.200", "10.0.0.255"})
    EXPECT_TRUE(policy.refusal_of(at(each), Ranges::kOpen)) << each;
}

TEST(AddressPolicy, PrivateRangesAreNearForWhoIsInOne) {
  for (const char* each : {"10.1.1.1", "192.168.1.1", "fd00::1", "127.0.0.1", "::1", "::ffff:10.1.1.1"})
    EXPECT_EQ(ranges_near(at(each)), Ranges::kOpen) << each;
  for (const char* each : {"8.8.8.8", "2606:4700::1", "198.51.100.1"})
    EXPECT_EQ(ranges_near(at(each)), Ranges::kClosed) << each;
}

TEST(AddressPolicy, TheOperatorOpensBlocksAndNamesWhatIsDelicate) {
  const AddressPolicy blocks(Door::kPeer,
                             {*Network::parse("10.0.0.0/8"), *Network::parse("127.0.0.0/8"),
                              *Network::parse("169.254.0.0/16"), *Network::parse("0.0.0.0/0")},
                             own());
  for (const char* each : {"10.0.0.6", "127.0.0.1", "169.254.1.1", "::ffff:127.0.0.1", "240.0.0.1"})
    EXPECT_FALSE(blocks.refusal_of(at(each))) << each;
  for (const char* each : {"10.0.0.5", "9.9.9.9", "169.254.169.254", "224.0.0.1", "0.0.0.0", "10.0.0.255"})
    EXPECT_TRUE(blocks.refusal_of(at(each))) << each;

  const AddressPolicy named(Door::kPeer, {*Network::parse("10.0.0.5"), *Network::parse("169.254.169.254")},
                            own());
  for (const char* each : {"10.0.0.5", "169.254.169.254", "::ffff:10.0.0.5"})
    EXPECT_FALSE(named.refusal_of(at(each))) << each;
  EXPECT_TRUE(named.refusal_of(at("9.9.9.9")));
}

TEST(AddressPolicy, FollowsTheAddressesThatTheHostHas) {
  const auto addresses = own();
  const AddressPolicy policy(Door::kPeer, {}, addresses);
  EXPECT_FALSE(policy.refusal_of(at("9.9.9.10")));
  addresses->set({.local = {*Network::parse("9.9.9.10")}, .groups = {}});
  EXPECT_EQ(policy.refusal_of(at("9.9.9.10")), AddressKind::kOwn);
  EXPECT_FALSE(policy.refusal_of(at("9.9.9.9")));
}

TEST(AddressPolicy, WebhooksReachTheInternetAndNoneOfOurOwn) {
  const AddressPolicy policy(Door::kWebhook, {}, own());
  EXPECT_FALSE(policy.refusal_of(at("8.8.8.8")));
  for (const char* each : {"9.9.9.9", "2600::5", "198.51.100.1", "10.0.0.6", "127.0.0.1", "64:ff9b::909:909"})
    EXPECT_TRUE(policy.refusal_of(at(each))) << each;
}

}  // namespace
}  // namespace vas
