#include "bridge/latch.h"

#include <gtest/gtest.h>

namespace vas::bridge {
namespace {

const Endpoint kSdp = *Endpoint::parse("10.0.0.5:4000");       // a private address: behind a NAT
const Endpoint kNat = *Endpoint::parse("198.51.100.7:61000");  // where its packets come from
const Endpoint kNatOther = *Endpoint::parse("198.51.100.7:61002");
const Endpoint kStranger = *Endpoint::parse("203.0.113.66:4000");

class LatchTest : public testing::Test {
 protected:
  void SetUp() override { latch_.configure(config_); }
  LegConfig config_{
      .far_rtp = kSdp, .far_rtcp = *Endpoint::parse("10.0.0.5:4001"), .signaling_address = kNat.address};
  Latch latch_;
  Time now_{std::chrono::seconds(10)};
};

TEST_F(LatchTest, SendsToSdpUntilThePartyShowsAnotherPort) {
  EXPECT_EQ(latch_.rtp_destination(), kSdp);
  EXPECT_TRUE(latch_.accepts_rtp(now_, kNat));
  EXPECT_EQ(latch_.rtp_destination(), kNat);
}

TEST_F(LatchTest, AStrangerNeitherTakesItNorOpensItsWindow) {
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(latch_.accepts_rtp(now_, kStranger));
  EXPECT_EQ(latch_.rtp_destination(), kSdp);
  EXPECT_TRUE(latch_.accepts_rtp(now_ + std::chrono::seconds(9), kNat));
}

TEST_F(LatchTest, SdpsOwnAddressClosesItAtOnce) {
  EXPECT_TRUE(latch_.accepts_rtp(now_, kNat));
  EXPECT_TRUE(latch_.accepts_rtp(now_, kSdp));
  EXPECT_EQ(latch_.rtp_destination(), kSdp);
  EXPECT_FALSE(latch_.accepts_rtp(now_, kNat));
}

TEST_F(LatchTest, TheWindowEndsAfterFivePacketsOr200Milliseconds) {
  for (int i = 0; i < Latch::kWindowPackets; ++i) EXPECT_TRUE(latch_.accepts_rtp(now_, kNat));
  EXPECT_FALSE(latch_.accepts_rtp(now_, kSdp));
  EXPECT_TRUE(latch_.accepts_rtp(now_, kNat));

  Latch other;
  other.configure(config_);
  EXPECT_TRUE(other.accepts_rtp(now_, kNat));
  EXPECT_FALSE(other.accepts_rtp(now_ + Latch::kWindow + Duration(1), kSdp));
}

TEST_F(LatchTest, TheFirstPortOfThePartyWins) {
  EXPECT_TRUE(latch_.accepts_rtp(now_, kNat));
  EXPECT_FALSE(latch_.accepts_rtp(now_, kNatOther));
}

TEST_F(LatchTest, AnybodyOnlyByConfiguration) {
  config_.latches_to_anyone = true;
  latch_.configure(config_);
  EXPECT_TRUE(latch_.accepts_rtp(now_, kStranger));
}

TEST_F(LatchTest, AnUnchangedReconfigurationKeepsWhatWasProvedAndANewAddressDoesNot) {
  latch_.accepts_rtp(now_, kNat);
  config_.sends = false;
  latch_.configure(config_);
  EXPECT_EQ(latch_.rtp_destination(), kNat);
  config_.far_rtp = *Endpoint::parse("10.0.0.6:4000");
  latch_.configure(config_);
  EXPECT_EQ(latch_.rtp_destination(), config_.far_rtp);
}

TEST_F(LatchTest, RtcpComesFromWhereRtpWasProvedToComeFrom) {
  EXPECT_EQ(latch_.rtcp_destination(), config_.far_rtcp);
  latch_.accepts_rtp(now_, kNat);
  EXPECT_FALSE(latch_.rtcp_destination().is_set());
  EXPECT_FALSE(latch_.accepts_rtcp(kStranger));
  EXPECT_TRUE(latch_.accepts_rtcp(kNatOther));
  EXPECT_EQ(latch_.rtcp_destination(), kNatOther);
}

TEST_F(LatchTest, AnUnspecifiedAddressIsSentNothing) {
  config_.far_rtp = *Endpoint::parse("0.0.0.0:4000");
  latch_.configure(config_);
  EXPECT_FALSE(latch_.rtp_destination().is_set());
}

}  // namespace
}  // namespace vas::bridge
