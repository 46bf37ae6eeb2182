#include "bridge/leg/latch.h"

#include <gtest/gtest.h>

namespace vas::bridge {
namespace {

using media::Ssrc;
using std::chrono::milliseconds;

const Endpoint kPrivate = *Endpoint::parse("10.0.0.5:4000");   // behind a NAT
const Endpoint kNat = *Endpoint::parse("198.51.100.7:61000");  // where its packets come from
const Endpoint kNeighbour = *Endpoint::parse("198.51.100.7:61002");
const Endpoint kPublic = *Endpoint::parse("198.51.100.7:4000");
const Endpoint kGateway = *Endpoint::parse("192.0.2.20:5000");
const Endpoint kStranger = *Endpoint::parse("203.0.113.66:4000");
constexpr Duration kPtime = milliseconds(20);

Endpoint port_above(Endpoint endpoint, int ports = 1) {
  endpoint.port = static_cast<std::uint16_t>(endpoint.port + ports);
  return endpoint;
}

class LatchTest : public testing::Test {
 protected:
  // SIP comes from kNat's address.
  void begin(const Endpoint& sdp) {
    config_.far_rtp = sdp;
    config_.far_rtcp = port_above(sdp);
    config_.signaling_address = kNat.address;
    latch_.configure(config_);
  }
  bool hears(const Endpoint& source, std::uint32_t ssrc = 1) {
    return latch_.accepts_rtp(now_, source, Ssrc{ssrc});
  }
  // A packet from each, every 20 ms; how many of `source` were taken.
  int stream(const Endpoint& source, Duration length, const std::optional<Endpoint>& rival = {}) {
    int heard = 0;
    for (Duration at{}; at < length; at += kPtime, now_ += kPtime) {
      if (rival) (void)hears(*rival, 2);
      heard += hears(source);
    }
    return heard;
  }

  LegConfig config_;
  Latch latch_;
  Time now_{std::chrono::seconds(10)};
};

// ---- SDP's address is the one that SIP comes from ----

TEST_F(LatchTest, ANeighbourBehindTheSameAddressHasNoWindow) {
  begin(kPublic);
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(hears(kNeighbour));
  EXPECT_EQ(latch_.rtp_destination(), kPublic);
  EXPECT_TRUE(hears(kPublic));
  EXPECT_TRUE(latch_.is_settled(now_));
  EXPECT_EQ(stream(kNeighbour, std::chrono::seconds(2)), 0);
  EXPECT_EQ(latch_.rtp_destination(), kPublic);
}

TEST_F(LatchTest, AnotherPortIsThePartysWhileSdpsOwnIsSilentAndNoLonger) {
  begin(kPublic);
  EXPECT_EQ(stream(kNat, Latch::kWindow), 0) << "not heard, and not sent to, before it has gone on";
  EXPECT_EQ(latch_.rtp_destination(), kPublic);
  EXPECT_TRUE(hears(kNat));
  EXPECT_EQ(latch_.rtp_destination(), kNat);
  EXPECT_FALSE(hears(kNeighbour));
  EXPECT_FALSE(latch_.is_settled(now_)) << "the kernel would not look at SDP's port any more";

  EXPECT_TRUE(hears(kPublic));
  EXPECT_EQ(latch_.rtp_destination(), kPublic);
  EXPECT_FALSE(hears(kNat));
  EXPECT_TRUE(latch_.is_settled(now_));
}

TEST_F(LatchTest, APacketNowAndThenIsNoStream) {
  begin(kPublic);
  for (int i = 0; i < 20; ++i, now_ += Latch::kLongestGap + milliseconds(1)) EXPECT_FALSE(hears(kNat));
  for (std::uint32_t ssrc = 0; ssrc < 50; ++ssrc, now_ += kPtime) EXPECT_FALSE(hears(kNat, ssrc));
  EXPECT_EQ(latch_.rtp_destination(), kPublic);
}

// ---- SDP's address is private ----

TEST_F(LatchTest, APhoneBehindANatIsHeardAndSentToFromItsFirstPacket) {
  begin(kPrivate);
  EXPECT_EQ(latch_.rtp_destination(), kPrivate);
  EXPECT_TRUE(hears(kNat));
  EXPECT_EQ(latch_.rtp_destination(), kNat);
  EXPECT_FALSE(latch_.is_settled(now_));
  EXPECT_EQ(stream(kNat, std::chrono::seconds(1)), 50);
  EXPECT_TRUE(latch_.is_settled(now_));
}

TEST_F(LatchTest, OfTwoTheStreamThatGoesOnLongestIsTheParty) {
  begin(kPrivate);
  for (int i = 0; i < 6; ++i, now_ += milliseconds(5)) EXPECT_TRUE(hears(kNeighbour, 2));  // first, and gone
  stream(kNat, milliseconds(400));
  EXPECT_EQ(latch_.rtp_destination(), kNat);
  now_ += milliseconds(100);
  EXPECT_TRUE(latch_.is_settled(now_));
  EXPECT_EQ(stream(kNat, std::chrono::seconds(1), kNeighbour), 50);
}

TEST_F(LatchTest, ItClosesForGood) {
  begin(kPrivate);
  stream(kNat, milliseconds(600));
  EXPECT_FALSE(hears(kPrivate));
  EXPECT_EQ(stream(kNeighbour, std::chrono::seconds(5)), 0);
  EXPECT_EQ(latch_.rtp_destination(), kNat);
}

TEST_F(LatchTest, SdpsOwnAddressClosesItAtOnce) {
  begin(kPrivate);
  EXPECT_TRUE(hears(kNat));
  EXPECT_TRUE(hears(kPrivate));
  EXPECT_EQ(latch_.rtp_destination(), kPrivate);
  EXPECT_FALSE(hears(kNat));
}

TEST_F(LatchTest, AStrangerNeitherTakesItNorOpensItsWindow) {
  begin(kPrivate);
  EXPECT_EQ(stream(kStranger, std::chrono::seconds(5)), 0);
  EXPECT_FALSE(latch_.may_come_from(kStranger));
  EXPECT_EQ(latch_.rtp_destination(), kPrivate);
  EXPECT_TRUE(hears(kNat));
}

TEST_F(LatchTest, ManyPortsDoNotDriveOutTheStreamThatIsHeard) {
  begin(kPrivate);
  for (int i = 0; i < 30; ++i, now_ += milliseconds(10)) {
    EXPECT_TRUE(hears(kNat));
    for (int port = 1; port < 40; ++port) (void)hears(port_above(kNeighbour, port), 2);
  }
  EXPECT_EQ(latch_.rtp_destination(), kNat);
}

// ---- The port's last call is not over for its party ----

TEST_F(LatchTest, TheStreamOfThePortsLastPartyIsNobodys) {
  latch_.expect_ghost(HeardStream{kNat, Ssrc{1}});
  begin(kPrivate);
  EXPECT_EQ(stream(kNat, std::chrono::seconds(5)), 0);
  EXPECT_EQ(latch_.rtp_destination(), kPrivate);
  EXPECT_TRUE(hears(kNeighbour, 2)) << "the new party, behind the same NAT";
  EXPECT_EQ(stream(kNat, std::chrono::seconds(1)), 0);
  EXPECT_EQ(latch_.rtp_destination(), kNeighbour);
}

TEST_F(LatchTest, ThePortsLastPartyThatCallsAgainIsHeard) {
  latch_.expect_ghost(HeardStream{kNat, Ssrc{1}});
  begin(kPrivate);
  EXPECT_TRUE(hears(kNat, 2)) << "each call has a stream of its own";

  Latch named;
  named.expect_ghost(HeardStream{kPublic, Ssrc{1}});
  named.configure({.far_rtp = kPublic, .signaling_address = kPublic.address});
  EXPECT_TRUE(named.accepts_rtp(now_, kPublic, Ssrc{1})) << "SDP names it";
}

// ---- SDP's address is public, and another than SIP's ----

TEST_F(LatchTest, AGatewayElsewhereIsSdpsAddressAlone) {
  begin(kGateway);
  EXPECT_EQ(stream(kNat, std::chrono::seconds(1)), 0);
  EXPECT_EQ(stream(port_above(kGateway), std::chrono::seconds(1)), 0);
  EXPECT_TRUE(hears(kGateway));
}

TEST_F(LatchTest, AnybodyOnlyByConfiguration) {
  config_.latches_to_anyone = true;
  begin(kGateway);
  EXPECT_TRUE(hears(kStranger));
  EXPECT_EQ(latch_.rtp_destination(), kStranger);
}

// ---- SDP names another address ----

TEST_F(LatchTest, AReinviteMovesItAtOnceAndTheOldAddressOpensNoWindow) {
  begin(kPublic);
  EXPECT_TRUE(hears(kPublic));
  begin(port_above(kPublic, 2));
  EXPECT_EQ(latch_.rtp_destination(), port_above(kPublic, 2));
  EXPECT_EQ(stream(kPublic, std::chrono::seconds(2)), 0);
  EXPECT_TRUE(hears(port_above(kPublic, 2)));

  begin(kPrivate);
  stream(kNat, milliseconds(600));
  begin(port_above(kPrivate, 2));
  EXPECT_EQ(latch_.rtp_destination(), port_above(kPrivate, 2));
  EXPECT_EQ(stream(kNat, std::chrono::seconds(1)), 0);
  EXPECT_TRUE(hears(kNeighbour)) << "its NAT gave it another port";
  begin(kPrivate);
  EXPECT_TRUE(hears(kNat)) << "and it goes back";
}

TEST_F(LatchTest, AnotherSignalingAddressIsANewLeg) {
  begin(kPrivate);
  stream(kNat, milliseconds(600));
  config_.signaling_address = kStranger.address;
  latch_.configure(config_);
  EXPECT_EQ(latch_.rtp_destination(), kPrivate);
  EXPECT_FALSE(hears(kNat));
  EXPECT_TRUE(hears(kStranger));
}

TEST_F(LatchTest, AnUnchangedReconfigurationKeepsWhatWasProved) {
  begin(kPrivate);
  EXPECT_TRUE(hears(kNat));
  config_.sends = false;
  latch_.configure(config_);
  EXPECT_EQ(latch_.rtp_destination(), kNat);
}

TEST_F(LatchTest, AnUnspecifiedAddressIsSentNothingAndAfterItAllIsAsBefore) {
  begin(*Endpoint::parse("0.0.0.0:4000"));
  EXPECT_FALSE(latch_.rtp_destination().is_set());
  EXPECT_FALSE(latch_.rtcp_destination().is_set());

  begin(kPrivate);
  stream(kNat, milliseconds(600));
  begin(*Endpoint::parse("0.0.0.0:4000"));
  EXPECT_FALSE(latch_.rtp_destination().is_set());
  EXPECT_TRUE(hears(kNat)) << "it may play music";
  EXPECT_FALSE(hears(kNeighbour));
  begin(kPrivate);
  EXPECT_EQ(latch_.rtp_destination(), kNat);
}

TEST_F(LatchTest, AnAddressThatMustShowItselfIsSentNothingBefore) {
  config_.must_show = true;
  begin(kPrivate);
  EXPECT_FALSE(latch_.rtp_destination().is_set());
  EXPECT_FALSE(latch_.rtcp_destination().is_set());
  EXPECT_TRUE(hears(kPrivate));
  EXPECT_EQ(latch_.rtp_destination(), kPrivate);

  config_.symmetric = false;
  begin(port_above(kPrivate, 2));
  EXPECT_FALSE(latch_.rtp_destination().is_set());
  EXPECT_TRUE(hears(port_above(kPrivate, 8)));
  EXPECT_EQ(latch_.rtp_destination(), port_above(kPrivate, 2));
}

// ---- It sends from another port than it receives at ----

TEST_F(LatchTest, AnAsymmetricPartyIsHeardFromOnePortAndSentToAtSdps) {
  config_.symmetric = false;
  begin(kGateway);
  EXPECT_FALSE(hears(kStranger));
  EXPECT_FALSE(hears(kNat)) << "SDP's address alone";
  EXPECT_EQ(stream(port_above(kGateway, 40), milliseconds(600)), 30);
  EXPECT_EQ(latch_.rtp_destination(), kGateway);
  EXPECT_EQ(latch_.heard(), port_above(kGateway, 40));
  EXPECT_TRUE(latch_.is_settled(now_));
  EXPECT_EQ(stream(port_above(kGateway, 42), std::chrono::seconds(1)), 0);
  EXPECT_TRUE(latch_.accepts_rtcp(port_above(kGateway, 41), true));
  EXPECT_EQ(latch_.rtcp_destination(), config_.far_rtcp);
}

TEST_F(LatchTest, AnAsymmetricPartyThatMovesWhereItReceivesMaySendFromWhereItDid) {
  for (const bool is_keyed : {false, true}) {
    config_ = {.symmetric = false};
    if (is_keyed) config_.dtls = LegDtls{};
    latch_ = Latch();
    begin(kGateway);
    EXPECT_GT(stream(port_above(kGateway, 40), milliseconds(600)), 0);
    begin(port_above(kGateway, 2));
    EXPECT_EQ(stream(port_above(kGateway, 40), Latch::kWindow), 0) << "it may be a tail";
    EXPECT_EQ(stream(port_above(kGateway, 40), milliseconds(600)), 30);
    EXPECT_EQ(latch_.rtp_destination(), port_above(kGateway, 2));
    EXPECT_TRUE(hears(port_above(kGateway, 42))) << "it was one, after all";
    EXPECT_FALSE(hears(port_above(kGateway, 40)));
  }
}

TEST_F(LatchTest, TheTailOfAnAsymmetricPartysStreamTakesNothing) {
  config_.symmetric = false;
  begin(kGateway);
  EXPECT_EQ(stream(port_above(kGateway, 40), milliseconds(600)), 30);
  begin(port_above(kGateway, 2));
  EXPECT_EQ(stream(port_above(kGateway, 40), milliseconds(300)), 0);
  EXPECT_EQ(stream(port_above(kGateway, 42), milliseconds(600), port_above(kGateway, 40)), 30);
  EXPECT_EQ(latch_.heard(), port_above(kGateway, 42));
}

// ---- A key ----

TEST_F(LatchTest, WhoHasTheKeyIsThePartyAtOnce) {
  config_.dtls = LegDtls{};
  begin(kPublic);
  EXPECT_FALSE(hears(kStranger)) << "from where a party may be";
  EXPECT_TRUE(hears(kNat));
  EXPECT_TRUE(latch_.is_settled(now_));
  EXPECT_FALSE(hears(kNeighbour));
  EXPECT_EQ(latch_.rtp_destination(), kNat);
}

// ---- RTCP ----

TEST_F(LatchTest, RtcpComesFromWhereRtpDoesAndShowsItsPortByProof) {
  begin(kPrivate);
  EXPECT_EQ(latch_.rtcp_destination(), config_.far_rtcp);
  EXPECT_TRUE(hears(kNat));
  EXPECT_FALSE(latch_.rtcp_destination().is_set());
  EXPECT_FALSE(latch_.accepts_rtcp(kStranger, true));
  EXPECT_FALSE(latch_.accepts_rtcp(port_above(kNat, 7), false)) << "a neighbour";
  EXPECT_TRUE(latch_.accepts_rtcp(port_above(kNat), true));
  EXPECT_EQ(latch_.rtcp_destination(), port_above(kNat));
  EXPECT_FALSE(latch_.accepts_rtcp(port_above(kNat, 7), true)) << "once";
  EXPECT_TRUE(latch_.accepts_rtcp(port_above(kNat), false));
}

TEST_F(LatchTest, SdpsOwnRtcpAddressTakesNoProof) {
  begin(kPublic);
  EXPECT_TRUE(hears(kPublic));
  EXPECT_TRUE(latch_.accepts_rtcp(port_above(kPublic, 9), true));
  EXPECT_TRUE(latch_.accepts_rtcp(config_.far_rtcp, false));
  EXPECT_EQ(latch_.rtcp_destination(), config_.far_rtcp);
}

}  // namespace
}  // namespace vas::bridge
