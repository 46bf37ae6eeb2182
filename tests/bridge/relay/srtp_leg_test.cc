// An encrypted leg bridged to a plain one: what its peer's own SRTP session makes of what we send.
#include <gtest/gtest.h>

#include "bridge/relay/bridge.h"
#include "tests/support/rtp_builder.h"

namespace vas::bridge {
namespace {

using media::SrtpBackend;
using media::SrtpKey;
using media::SrtpResult;
using media::SrtpSuite;
using Packet = std::vector<std::uint8_t>;

const Endpoint kPhone = *Endpoint::parse("192.0.2.1:4000");
const Endpoint kCarrier = *Endpoint::parse("192.0.2.2:5000");
const Endpoint kStranger = *Endpoint::parse("203.0.113.9:4000");

Endpoint rtcp_of(const Endpoint& rtp) { return {rtp.address, static_cast<std::uint16_t>(rtp.port + 1)}; }

// Side A is encrypted; its phone speaks through libsrtp2.
class SrtpLeg : public testing::Test {
 protected:
  SrtpLeg() {
    bridge_.configure(LegSide::kB, {.far_rtp = kCarrier, .far_rtcp = rtcp_of(kCarrier), .formats = formats()},
                      now_);
    rekey(SrtpKey::random(SrtpSuite::kAesCm128HmacSha1_80), SrtpKey::random(SrtpSuite::kAesCm128HmacSha1_80));
    bridge_.start(now_);
  }
  static std::vector<LegFormat> formats() { return {{{0}, media::Codec::kPcmu, 8000}}; }

  void configure(bool receives = true) {
    bridge_.configure(LegSide::kA,
                      {.far_rtp = kPhone,
                       .far_rtcp = rtcp_of(kPhone),
                       .receives = receives,
                       .formats = formats(),
                       .srtp = keys_},
                      now_);
  }
  void rekey(const SrtpKey& inbound, const SrtpKey& outbound) {
    keys_ = LegSrtp{inbound, outbound};
    phone_sends_ = make_srtp_protector(SrtpBackend::kLibsrtp, inbound);
    phone_hears_ = make_srtp_unprotector(SrtpBackend::kLibsrtp, outbound);
    configure();
  }
  Packet from_phone(std::uint16_t number, SrtpResult wanted = SrtpResult::kOk) {
    Packet bytes = media::build_rtp({.sequence_number = {number}, .timestamp = {number * 160U}, .ssrc = {7}});
    const std::size_t size = bytes.size();
    bytes.resize(size + media::kSrtpMaxRoom);
    media::PacketBuffer packet{MutableBytes(bytes), size};
    EXPECT_EQ(phone_sends_->protect(packet), wanted);
    bytes.resize(packet.size());
    return bytes;
  }
  // What came out at the other side; empty when nothing did.
  Packet deliver(LegSide from, const Endpoint& source, Packet bytes, Component component = Component::kRtp) {
    now_ += std::chrono::milliseconds(20);
    const std::size_t size = bytes.size();
    bytes.resize(size + media::kSrtpMaxRoom);
    Outbox outbox;
    bridge_.on_datagram(from, component, source, {MutableBytes(bytes), size}, now_, outbox);
    if (outbox.size() == 0) return {};
    return {outbox.begin()->bytes.begin(), outbox.begin()->bytes.end()};
  }
  Packet from_carrier(std::uint16_t number) {
    return deliver(
        LegSide::kB, kCarrier,
        media::build_rtp({.sequence_number = {number}, .timestamp = {number * 160U}, .ssrc = {9}}));
  }
  SrtpResult heard_by_phone(Packet packet) {
    media::PacketBuffer view{MutableBytes(packet)};
    return phone_hears_->unprotect(view);
  }

  Time now_{std::chrono::seconds(1000)};
  Bridge bridge_{std::chrono::seconds(60),
                 now_,
                 {StreamSeed{{0xaaaa}, {100}, {1000}}, StreamSeed{{0xbbbb}, {200}, {2000}}}};
  std::optional<LegSrtp> keys_;
  std::unique_ptr<media::SrtpProtector> phone_sends_;
  std::unique_ptr<media::SrtpUnprotector> phone_hears_;
};

TEST_F(SrtpLeg, IsOpenedAndSealedAsItsPeerDoes) {
  const Packet plain = deliver(LegSide::kA, kPhone, from_phone(1));
  ASSERT_FALSE(plain.empty());
  EXPECT_EQ(plain.size(), media::build_rtp({}).size());
  const Packet sealed = from_carrier(1);
  EXPECT_EQ(sealed.size(), plain.size() + 10);
  EXPECT_EQ(heard_by_phone(sealed), SrtpResult::kOk);
  EXPECT_EQ(bridge_.stats(LegSide::kA).srtp, SrtpSuite::kAesCm128HmacSha1_80);
  EXPECT_FALSE(bridge_.stats(LegSide::kB).srtp);
  EXPECT_EQ(bridge_.stats(LegSide::kA).sent_bytes, plain.size()) << "the record speaks of RTP";
}

TEST_F(SrtpLeg, TakesNothingInTheClearNorForgedNorTwice) {
  EXPECT_TRUE(deliver(LegSide::kA, kPhone, media::build_rtp({.ssrc = {7}})).empty());
  const Packet once = from_phone(1);
  EXPECT_FALSE(deliver(LegSide::kA, kPhone, once).empty());
  EXPECT_TRUE(deliver(LegSide::kA, kPhone, once).empty());
  for (int i = 0; i < 1000; ++i) {
    Packet forged = from_phone(static_cast<std::uint16_t>(2 + i));
    forged.back() ^= 1;
    EXPECT_TRUE(deliver(LegSide::kA, i % 2 == 0 ? kPhone : kStranger, forged).empty());
  }
  EXPECT_FALSE(deliver(LegSide::kA, kPhone, from_phone(1002)).empty());
  const LegStats stats = bridge_.stats(LegSide::kA);
  EXPECT_EQ(stats.unauthenticated, 501u);
  EXPECT_EQ(stats.refused_source, 500u) << "a key is not tried on what cannot be the party's";
  EXPECT_EQ(stats.replayed, 1u);
  EXPECT_EQ(stats.received.packets, 2u) << "what is not the party's is not counted as its";
}

TEST_F(SrtpLeg, ForgedPacketsDoNotTakeTheLatch) {
  bridge_.configure(LegSide::kA,
                    {.far_rtp = kPhone,
                     .far_rtcp = rtcp_of(kPhone),
                     .latches_to_anyone = true,
                     .formats = formats(),
                     .srtp = keys_},
                    now_);
  Packet forged = from_phone(1);
  forged.back() ^= 1;
  EXPECT_TRUE(deliver(LegSide::kA, kStranger, forged).empty());
  EXPECT_EQ(bridge_.party(LegSide::kA), kPhone);
  EXPECT_FALSE(deliver(LegSide::kA, kStranger, from_phone(2)).empty()) << "who has the key is the party";
  EXPECT_EQ(bridge_.party(LegSide::kA), kStranger);
}

TEST_F(SrtpLeg, HoldKeepsTheStreamAndItsIndices) {
  std::uint16_t number = 65'500;  // over the wrap
  for (int i = 0; i < 100; ++i) ASSERT_EQ(heard_by_phone(from_carrier(number++)), SrtpResult::kOk);
  configure(false);
  EXPECT_TRUE(from_carrier(number++).empty());
  configure(true);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(heard_by_phone(from_carrier(number++)), SrtpResult::kOk);
}

TEST_F(SrtpLeg, ANewKeyOfOneSideLeavesTheOtherSides) {
  const Packet once = from_phone(1);
  ASSERT_FALSE(deliver(LegSide::kA, kPhone, once).empty());
  keys_->outbound = SrtpKey::random(SrtpSuite::kAeadAes256Gcm);
  phone_hears_ = make_srtp_unprotector(SrtpBackend::kLibsrtp, keys_->outbound);
  configure();
  EXPECT_EQ(heard_by_phone(from_carrier(1)), SrtpResult::kOk);
  EXPECT_TRUE(deliver(LegSide::kA, kPhone, once).empty()) << "still known as a replay";
  EXPECT_FALSE(deliver(LegSide::kA, kPhone, from_phone(2)).empty());
  rekey(SrtpKey::random(SrtpSuite::kAesCm128HmacSha1_32), keys_->outbound);
  EXPECT_TRUE(deliver(LegSide::kA, kPhone, once).empty());
  EXPECT_FALSE(deliver(LegSide::kA, kPhone, from_phone(3)).empty());
}

TEST_F(SrtpLeg, ReportsAreSealedToo) {
  ASSERT_FALSE(from_carrier(1).empty());
  Packet report(128);
  const media::ReceiveStats::Report block{
      .ssrc = {0xbbbb}, .cumulative_lost = 0, .extended_highest = 5, .jitter = 1};
  report.resize(media::write_report(report, {9}, nullptr, &block, "carrier"));
  Packet sealed = deliver(LegSide::kB, rtcp_of(kCarrier), report, Component::kRtcp);
  ASSERT_FALSE(sealed.empty());
  media::PacketBuffer view{MutableBytes(sealed)};
  EXPECT_EQ(phone_hears_->unprotect_rtcp(view), SrtpResult::kOk);
  EXPECT_TRUE(deliver(LegSide::kA, rtcp_of(kPhone), report, Component::kRtcp).empty()) << "in the clear";
  EXPECT_EQ(bridge_.stats(LegSide::kA).unauthenticated + bridge_.stats(LegSide::kA).malformed, 1u);
}

TEST_F(SrtpLeg, IsNotHandedToTheKernel) {
  for (std::uint16_t number = 1; number < 20; ++number) {
    ASSERT_FALSE(deliver(LegSide::kA, kPhone, from_phone(number)).empty());
    ASSERT_FALSE(from_carrier(number).empty());
  }
  relay_entry entry{};
  EXPECT_FALSE(bridge_.describe_relay(LegSide::kA, now_, entry));
  EXPECT_FALSE(bridge_.describe_relay(LegSide::kB, now_, entry));
}

}  // namespace
}  // namespace vas::bridge
