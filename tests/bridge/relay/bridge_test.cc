#include "bridge/relay/bridge.h"

#include <gtest/gtest.h>

#include "media/rtp/packet_kind.h"
#include "tests/support/rtp_builder.h"

namespace vas::bridge {
namespace {

using media::PayloadType;
using media::RtpFields;
using media::RtpPacket;
using media::SequenceNumber;
using media::Ssrc;

const Endpoint kA = *Endpoint::parse("192.0.2.1:4000");
const Endpoint kB = *Endpoint::parse("192.0.2.2:5000");
constexpr Duration kMediaTimeout = std::chrono::seconds(60);

Endpoint rtcp_of(const Endpoint& rtp) { return {rtp.address, static_cast<std::uint16_t>(rtp.port + 1)}; }

// Two parties, a and z, with fake time.
class BridgeTest : public testing::Test {
 protected:
  BridgeTest()
      : bridge_(kMediaTimeout, now_,
                {StreamSeed{{0xaaaa}, {100}, {1000}}, StreamSeed{{0xbbbb}, {200}, {2000}}}) {
    a_ = {.far_rtp = kA,
          .far_rtcp = rtcp_of(kA),
          .formats = {{{0}, media::Codec::kPcmu, 8000}, {{101}, media::Codec::kTelephoneEvent, 8000}}};
    b_ = {.far_rtp = kB,
          .far_rtcp = rtcp_of(kB),
          .formats = {{{0}, media::Codec::kPcmu, 8000}, {{96}, media::Codec::kTelephoneEvent, 8000}}};
    configure();
    bridge_.start(now_);
  }
  void configure() {
    bridge_.configure(LegSide::kA, a_, now_);
    bridge_.configure(LegSide::kB, b_, now_);
  }
  // True if it came out at the other side; then heard_ holds it.
  bool send(LegSide from, const Endpoint& source, const RtpFields& fields,
            Component component = Component::kRtp) {
    return deliver(from, source, media::build_rtp(fields), component);
  }
  bool deliver(LegSide from, const Endpoint& source, std::vector<std::uint8_t> bytes, Component component) {
    Outbox outbox;
    bridge_.on_datagram(from, component, source, MutableBytes(bytes), now_, outbox);
    if (outbox.size() == 0) return false;
    sent_ = *outbox.begin();
    heard_.assign(sent_.bytes.begin(), sent_.bytes.end());
    return true;
  }
  RtpPacket heard() const { return *RtpPacket::parse(heard_); }
  std::vector<std::uint8_t> receiver_report(Ssrc of, std::uint32_t last_sr = 0) {
    std::vector<std::uint8_t> buffer(128);
    const media::ReceiveStats::Report block{
        .ssrc = of, .cumulative_lost = 4, .extended_highest = 105, .jitter = 80};
    buffer.resize(media::write_report(buffer, {5}, nullptr, &block, "phone"));
    store_u32(buffer, 8 + 16, last_sr);
    return buffer;
  }

  Time now_{std::chrono::seconds(1000)};
  WallTime wall_{std::chrono::seconds(1'700'000'000)};
  LegConfig a_, b_;
  Bridge bridge_;
  Outgoing sent_;
  std::vector<std::uint8_t> heard_;
};

TEST_F(BridgeTest, RelaysWithItsOwnSsrcAndTheOtherPartysPayloadType) {
  ASSERT_TRUE(send(LegSide::kA, kA, {.payload_type = {101}, .payload = {5, 10, 0, 160}}));
  EXPECT_EQ(sent_.to, kB);
  EXPECT_EQ(sent_.side, LegSide::kB);
  EXPECT_EQ(heard().payload_type(), PayloadType{96});
  EXPECT_EQ(heard().ssrc(), Ssrc{0xbbbb});
  EXPECT_EQ(heard().sequence_number(), SequenceNumber{200});
  EXPECT_EQ(bridge_.stats(LegSide::kA).telephone_events, 1u);
}

TEST_F(BridgeTest, DropsWhatWasNotNegotiatedAndWhoIsNotTheParty) {
  EXPECT_FALSE(send(LegSide::kA, kA, {.payload_type = {8}}));
  EXPECT_FALSE(send(LegSide::kA, *Endpoint::parse("203.0.113.66:4000"), {}));
  EXPECT_FALSE(deliver(LegSide::kA, kA, {0x80}, Component::kRtp));
  EXPECT_FALSE(deliver(LegSide::kA, kA, {}, Component::kRtp));
  const auto stats = bridge_.stats(LegSide::kA);
  EXPECT_EQ(stats.unknown_payload_type, 1u);
  EXPECT_EQ(stats.refused_source, 1u);
  EXPECT_EQ(stats.malformed, 2u);
  EXPECT_EQ(stats.received.packets, 0u);
}

TEST_F(BridgeTest, AnEventTypeThatTheOtherSideLacksLeavesNoGap) {
  b_.formats.pop_back();
  configure();
  send(LegSide::kA, kA, {.sequence_number = {1}});
  EXPECT_FALSE(
      send(LegSide::kA, kA, {.payload_type = {101}, .sequence_number = {2}, .payload = {5, 10, 0, 160}}));
  ASSERT_TRUE(send(LegSide::kA, kA, {.sequence_number = {3}}));
  EXPECT_EQ(heard().sequence_number(), SequenceNumber{201});
}

TEST_F(BridgeTest, WhatWasNotNegotiatedLeavesNoGapAndIsNoLoss) {
  for (const std::uint8_t payload_type :
       {std::uint8_t{126}, std::uint8_t{13}}) {  // a keep-alive, comfort noise
    const auto first = static_cast<std::uint16_t>(payload_type * 10);
    send(LegSide::kA, kA, {.sequence_number = {first}, .ssrc = {payload_type}});
    const std::uint16_t heard_first = heard().sequence_number().value;
    EXPECT_FALSE(send(LegSide::kA, kA,
                      {.payload_type = {payload_type},
                       .sequence_number = {static_cast<std::uint16_t>(first + 1)},
                       .ssrc = {payload_type},
                       .payload = {0x40}}));
    ASSERT_TRUE(send(LegSide::kA, kA,
                     {.sequence_number = {static_cast<std::uint16_t>(first + 2)}, .ssrc = {payload_type}}));
    EXPECT_EQ(heard().sequence_number().value, heard_first + 1);
  }
  const auto stats = bridge_.stats(LegSide::kA);
  EXPECT_EQ(stats.received.lost, 0);
  EXPECT_EQ(stats.received.expected, 6);
  EXPECT_EQ(stats.unknown_payload_type, 1u);
  EXPECT_EQ(stats.codec, media::Codec::kPcmu);
}

TEST_F(BridgeTest, WhatWasNotNegotiatedBeginsNoStreamAndMovesNoLatch) {
  EXPECT_FALSE(send(LegSide::kA, kA, {.payload_type = {126}}));
  EXPECT_FALSE(send(LegSide::kA, {kA.address, 4444}, {.payload_type = {126}}));
  send(LegSide::kA, kA, {.sequence_number = {1}});
  EXPECT_FALSE(send(LegSide::kA, kA, {.payload_type = {126}, .sequence_number = {9}, .ssrc = {99}}));
  EXPECT_EQ(bridge_.stats(LegSide::kA).unknown_payload_type, 3u);
  EXPECT_EQ(bridge_.stats(LegSide::kA).received.packets, 1u);
}

TEST_F(BridgeTest, ComfortNoiseThatBothHavePasses) {
  a_.formats.push_back({{13}, media::Codec::kComfortNoise, 8000});
  b_.formats.push_back({{13}, media::Codec::kComfortNoise, 8000});
  configure();
  send(LegSide::kA, kA, {.sequence_number = {1}});
  ASSERT_TRUE(send(LegSide::kA, kA, {.payload_type = {13}, .sequence_number = {2}, .payload = {0x40}}));
  EXPECT_EQ(heard().payload_type(), PayloadType{13});
  EXPECT_EQ(heard().sequence_number(), SequenceNumber{201});
  EXPECT_EQ(bridge_.stats(LegSide::kA).codec, media::Codec::kPcmu);
}

// The party's first format is none that the kernel relays, so that does not know its clock.
TEST_F(BridgeTest, ComfortNoiseAloneInTheKernelLeavesTheClockAsItWas) {
  a_.formats = {{{101}, media::Codec::kTelephoneEvent, 8000},
                {{0}, media::Codec::kPcmu, 8000},
                {{13}, media::Codec::kComfortNoise, 8000}};
  b_.formats = {{{0}, media::Codec::kPcmu, 8000}, {{13}, media::Codec::kComfortNoise, 8000}};
  configure();
  send(LegSide::kA, kA, {.sequence_number = {1}});
  relay_entry entry{};
  ASSERT_TRUE(bridge_.describe_relay(LegSide::kA, now_, entry));
  ASSERT_EQ(entry.formats[2].is_noise, 1);
  entry.sent_packets = 1;
  bridge_.resume(LegSide::kA, entry);
  EXPECT_EQ(bridge_.stats(LegSide::kB).sent_packets, 2u);
  deliver(LegSide::kB, rtcp_of(kB), receiver_report({0xbbbb}), Component::kRtcp);
  EXPECT_DOUBLE_EQ(*bridge_.stats(LegSide::kB).reported_jitter_ms, 10);
}

TEST_F(BridgeTest, AStrayPacketIsNoLossAndARestartIsOneStream) {
  for (std::uint16_t i = 0; i < 50; ++i)
    send(LegSide::kA, kA, {.sequence_number = {i}, .timestamp = {160U * i}});
  ASSERT_TRUE(send(LegSide::kA, kA, {.sequence_number = {2500}, .timestamp = {400'000}}));
  EXPECT_EQ(heard().sequence_number(), SequenceNumber{250});
  ASSERT_TRUE(send(LegSide::kA, kA, {.sequence_number = {50}, .timestamp = {8000}}));
  EXPECT_EQ(heard().sequence_number(), SequenceNumber{251});
  now_ += std::chrono::milliseconds(20);
  const std::uint32_t before = heard().timestamp().value;
  ASSERT_TRUE(send(LegSide::kA, kA, {.sequence_number = {0}, .timestamp = {5'000'000}}));
  EXPECT_TRUE(heard().marker());
  EXPECT_EQ(heard().sequence_number(), SequenceNumber{252});
  EXPECT_EQ(heard().timestamp(), media::RtpTimestamp{before + 160});
  ASSERT_TRUE(send(LegSide::kA, kA, {.sequence_number = {1}, .timestamp = {5'000'160}}));
  EXPECT_EQ(heard().sequence_number(), SequenceNumber{253});
  EXPECT_EQ(heard().timestamp(), media::RtpTimestamp{before + 320});
  EXPECT_FALSE(heard().marker());
  EXPECT_EQ(bridge_.stats(LegSide::kA).received.lost, 0);
}

TEST_F(BridgeTest, AnEventsDurationIsThatOfTheOtherPartysClock) {
  a_.formats = {{{111}, media::Codec::kOpus, 48'000}, {{110}, media::Codec::kTelephoneEvent, 48'000}};
  b_.formats = {{{96}, media::Codec::kOpus, 48'000}, {{101}, media::Codec::kTelephoneEvent, 8000}};
  configure();
  send(LegSide::kA, kA, {.payload_type = {111}, .sequence_number = {1}, .timestamp = {960}});
  ASSERT_TRUE(send(LegSide::kA, kA,
                   {.payload_type = {110},
                    .sequence_number = {2},
                    .timestamp = {1920},
                    .payload = {5, 0x8a, 0x12, 0xc0}}));
  EXPECT_EQ(heard().payload_type(), PayloadType{101});
  EXPECT_EQ(load_u16(heard().payload(), 2), 800);
  EXPECT_EQ(heard().payload()[1], 0x8a);
  EXPECT_EQ(heard().timestamp(), media::RtpTimestamp{2000 + 960});
  ASSERT_TRUE(send(LegSide::kB, kB,
                   {.payload_type = {101}, .sequence_number = {2}, .payload = {5, 0x0a, 0x03, 0x20}}));
  EXPECT_EQ(load_u16(heard().payload(), 2), 4800);
}

TEST_F(BridgeTest, EventsUnderTheirOwnSsrcAreOneStreamAndOnePress) {
  for (std::uint16_t i = 0; i < 20; ++i) {
    now_ += std::chrono::milliseconds(20);
    ASSERT_TRUE(send(LegSide::kA, kA, {.sequence_number = {i}, .timestamp = {160U * i}, .ssrc = {1}}));
    EXPECT_EQ(heard().sequence_number().value, 200 + i + (i > 5 ? i - 5 : 0));
    if (i < 5) continue;
    ASSERT_TRUE(send(LegSide::kA, kA,
                     {.payload_type = {101},
                      .sequence_number = {static_cast<std::uint16_t>(900 + i)},
                      .timestamp = {777},
                      .ssrc = {2},
                      .payload = {5, 10, 0, static_cast<std::uint8_t>(i)}}));
    EXPECT_EQ(heard().ssrc(), Ssrc{0xbbbb});
    EXPECT_EQ(heard().timestamp(), media::RtpTimestamp{2000 + 160 * 6}) << "each of one press";
    EXPECT_EQ(heard().sequence_number().value, 200 + i + (i - 5) + 1);
  }
  EXPECT_EQ(bridge_.stats(LegSide::kA).telephone_events, 1u);
  EXPECT_EQ(bridge_.stats(LegSide::kA).received.expected, 20);
}

TEST_F(BridgeTest, SendsNothingToAPartyOnHoldAndGoesOnUnbrokenAfterIt) {
  ASSERT_TRUE(send(LegSide::kA, kA, {.sequence_number = {1}, .timestamp = {160}}));
  b_.receives = false;
  configure();
  EXPECT_FALSE(send(LegSide::kA, kA, {.sequence_number = {2}, .timestamp = {320}}));
  b_.receives = true;
  configure();
  now_ += std::chrono::seconds(1);
  ASSERT_TRUE(send(LegSide::kA, kA, {.sequence_number = {52}, .timestamp = {8320}}));
  EXPECT_EQ(heard().sequence_number(), SequenceNumber{201});
  EXPECT_EQ(heard().timestamp(), media::RtpTimestamp{2000 + 8000});
  EXPECT_EQ(bridge_.stats(LegSide::kA).received.lost, 49);  // A was not on hold: what it lost is lost
}

TEST_F(BridgeTest, IsSilentAfterTheTimeoutButNotOnHoldNorBeforeItStarts) {
  now_ += kMediaTimeout - Duration(1);
  EXPECT_FALSE(bridge_.is_silent(now_));
  now_ += Duration(1);
  EXPECT_TRUE(bridge_.is_silent(now_));
  a_.sends = false;
  configure();
  EXPECT_FALSE(bridge_.is_silent(now_));
  a_.sends = true;
  configure();
  EXPECT_FALSE(bridge_.is_silent(now_));
  now_ += kMediaTimeout;
  EXPECT_TRUE(bridge_.is_silent(now_));
  send(LegSide::kB, kB, {});
  EXPECT_FALSE(bridge_.is_silent(now_));
}

TEST_F(BridgeTest, RtcpAndComfortNoiseAndKeepAlivesAreSignsOfLife) {
  send(LegSide::kB, kB, {.sequence_number = {1}});
  const auto passes = [&](const char* what, auto&& sign) {
    SCOPED_TRACE(what);
    now_ += kMediaTimeout;
    EXPECT_TRUE(bridge_.is_silent(now_));
    sign();
    EXPECT_FALSE(bridge_.is_silent(now_));
    EXPECT_EQ(bridge_.last_heard_at(), now_);
  };
  passes("RTCP", [&] { deliver(LegSide::kB, rtcp_of(kB), receiver_report({1}), Component::kRtcp); });
  passes("comfort noise", [&] { send(LegSide::kB, kB, {.payload_type = {13}, .sequence_number = {2}}); });
  passes("a keep-alive", [&] { send(LegSide::kB, kB, {.payload_type = {126}, .sequence_number = {3}}); });
  const Time heard = now_;
  now_ += kMediaTimeout;
  deliver(LegSide::kB, *Endpoint::parse("203.0.113.66:5001"), receiver_report({1}), Component::kRtcp);
  send(LegSide::kB, *Endpoint::parse("203.0.113.66:5000"), {.payload_type = {126}, .sequence_number = {4}});
  EXPECT_TRUE(bridge_.is_silent(now_)) << "a stranger's";
  EXPECT_EQ(bridge_.last_heard_at(), heard);
}

// RFC 3550 §6.1, A.2: whatever a party sends,
// the other gets a compound that begins with a report, or nothing.
TEST_F(BridgeTest, WhatPassesOfACompoundIsOneThatBeginsWithAReport) {
  send(LegSide::kA, kA, {.ssrc = {0x77}});
  send(LegSide::kB, kB, {.ssrc = {5}});
  const auto sdes = [](std::uint32_t ssrc) {
    std::vector<std::uint8_t> bytes = {0x81, 202, 0, 3, 0, 0, 0, 0, 1, 4, 't', 'e', 's', 't', 0, 0};
    store_u32(bytes, 4, ssrc);
    return bytes;
  };
  const auto sender = [](std::uint32_t ssrc, int blocks) {
    std::vector<std::uint8_t> bytes(28 + 24 * static_cast<std::size_t>(blocks));
    bytes[0] = static_cast<std::uint8_t>(0x80 | blocks);
    bytes[1] = 200;
    store_u16(bytes, 2, static_cast<std::uint16_t>(bytes.size() / 4 - 1));
    store_u32(bytes, 4, ssrc);
    if (blocks > 0) store_u32(bytes, 28, 0xaaaa);
    return bytes;
  };
  const auto receiver = [](std::uint32_t ssrc) {
    std::vector<std::uint8_t> bytes = {0x80, 201, 0, 1, 0, 0, 0, 0};
    store_u32(bytes, 4, ssrc);
    return bytes;
  };
  const std::vector<std::uint8_t> bye = {0x81, 203, 0, 1, 0, 0, 0, 0x77};
  const std::vector<std::uint8_t> nack = {0x81, 205, 0, 3, 0, 0, 0, 0x77, 0, 0, 0, 9, 0, 0, 0, 0};
  const auto padded = [](std::vector<std::uint8_t> bytes) {
    bytes[0] |= 0x20;
    return bytes;
  };
  auto endless = sdes(0x77);
  endless[9] = 200;
  auto countless = sender(0x77, 0);
  countless[0] = 0x9f;

  using Packets = std::vector<std::vector<std::uint8_t>>;
  const std::vector<std::pair<Packets, std::vector<int>>> table = {
      {{sender(0x77, 0), sdes(0x77)}, {200, 202}},
      {{sender(0x77, 1), sdes(0x77), bye}, {200, 202}},
      {{sender(0x1111, 0), sdes(0x1111)}, {201, 202}},  // of a stream whose RTP is not there
      {{sender(0x1111, 1), sdes(0x1111)}, {201, 202}},
      {{receiver(0x77), sdes(0x77), nack}, {201, 202}},
      {{sdes(0x77)}, {}},
      {{sdes(0x77), receiver(0x77)}, {201}},
      {{nack}, {}},
      {{nack, receiver(0x77), sdes(0x77)}, {201, 202}},
      {{bye, sdes(0x77)}, {}},
      {{countless, sdes(0x77)}, {}},
      {{receiver(0x77), endless}, {201}},
      {{padded(receiver(0x77)), sdes(0x77)}, {}},
      {{receiver(0x77), padded(sdes(0x77))}, {201, 202}},
  };
  for (std::size_t i = 0; i < table.size(); ++i) {
    SCOPED_TRACE(i);
    now_ += std::chrono::seconds(1);
    std::vector<std::uint8_t> compound;
    for (const auto& each : table[i].first) compound.insert(compound.end(), each.begin(), each.end());
    heard_.clear();
    deliver(LegSide::kA, rtcp_of(kA), compound, Component::kRtcp);
    std::vector<int> types;
    MutableBytes rest = heard_;
    while (const auto packet = media::next_rtcp(rest)) {
      types.push_back(static_cast<int>(packet->type));
      EXPECT_EQ(load_u32(packet->bytes, 4), 0xbbbbu);
      for (std::size_t at = 0; at + 24 <= media::report_blocks(*packet).size(); at += 24)
        EXPECT_EQ(load_u32(media::report_blocks(*packet), at), 5u) << "a block is the party's still";
    }
    EXPECT_TRUE(rest.empty());
    EXPECT_EQ(types, table[i].second);
  }
}

TEST_F(BridgeTest, TranslatesAReceiverReportIntoTheSendersNumbers) {
  send(LegSide::kA, kA, {.sequence_number = {5000}, .ssrc = {0x77}});
  ASSERT_TRUE(deliver(LegSide::kB, rtcp_of(kB), receiver_report({0xbbbb}), Component::kRtcp));
  EXPECT_EQ(sent_.to, rtcp_of(kA));
  EXPECT_EQ(load_u32(heard_, 4), 0xaaaau);
  EXPECT_EQ(load_u32(heard_, 8), 0x77u);
  EXPECT_EQ(load_u32(heard_, 16) & 0xffff, 4905u);  // 105 of our 200-based line is 95 before its start
  const auto stats = bridge_.stats(LegSide::kB);
  EXPECT_EQ(stats.reported_lost, 4);
  EXPECT_DOUBLE_EQ(*stats.reported_jitter_ms, 10);
}

TEST_F(BridgeTest, MeasuresTheRoundTripFromASenderReportThatPassed) {
  send(LegSide::kA, kA, {.ssrc = {0x77}});
  std::vector<std::uint8_t> report(128);
  const media::SenderInfo sender{{0x77}, wall_, {160}, 1, 160};
  report.resize(media::write_report(report, {0x77}, &sender, nullptr, "phone"));
  ASSERT_TRUE(deliver(LegSide::kA, rtcp_of(kA), report, Component::kRtcp));
  EXPECT_EQ(load_u32(heard_, 4), 0xbbbbu);
  EXPECT_EQ(load_u32(heard_, 16), 2000u);
  now_ += std::chrono::milliseconds(40);
  deliver(LegSide::kB, rtcp_of(kB), receiver_report({0xbbbb}, media::ntp_middle(wall_)), Component::kRtcp);
  EXPECT_NEAR(*bridge_.stats(LegSide::kB).round_trip_ms, 40, 0.1);
}

TEST_F(BridgeTest, ByeAndForeignRtcpEndNothingAndDoNotPass) {
  std::vector<std::uint8_t> bye = {0x81, 203, 0, 1, 0, 0, 0, 7};
  EXPECT_FALSE(deliver(LegSide::kA, rtcp_of(kA), bye, Component::kRtcp));
  EXPECT_FALSE(deliver(LegSide::kA, *Endpoint::parse("203.0.113.66:4001"), receiver_report({0xaaaa}),
                       Component::kRtcp));
  EXPECT_FALSE(bridge_.is_silent(now_));
}

TEST_F(BridgeTest, PassesAtMostTwentyRtcpPacketsASecond) {
  int passed = 0;
  for (int i = 0; i < 100; ++i)
    passed += deliver(LegSide::kB, rtcp_of(kB), receiver_report({1}), Component::kRtcp) ? 1 : 0;
  EXPECT_EQ(passed, Bridge::kMaxRtcpPerSecond);
}

TEST_F(BridgeTest, StrangersUseUpNoneOfThePartysRtcp) {
  const Endpoint stranger = *Endpoint::parse("203.0.113.66:5001");
  const Endpoint neighbour{kB.address, 6001};
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(deliver(LegSide::kB, stranger, receiver_report({1}), Component::kRtcp));
    EXPECT_FALSE(deliver(LegSide::kB, neighbour, receiver_report({1}), Component::kRtcp));
  }
  EXPECT_TRUE(deliver(LegSide::kB, rtcp_of(kB), receiver_report({1}), Component::kRtcp));
}

TEST_F(BridgeTest, RtcpFromAnotherPortIsThePartysWhoNamesItsSsrc) {
  const Endpoint other_port{kB.address, 6001};
  send(LegSide::kB, kB, {.ssrc = {5}});
  EXPECT_TRUE(deliver(LegSide::kB, other_port, receiver_report({1}), Component::kRtcp));
  std::vector<std::uint8_t> report = receiver_report({1});
  store_u32(report, 4, 6);
  EXPECT_FALSE(deliver(LegSide::kB, {kB.address, 6003}, report, Component::kRtcp));
}

TEST_F(BridgeTest, RelaysAThousandPacketsOfALegInASecondAndCountsTheRest) {
  int passed = 0;
  for (std::uint16_t i = 0; i < 1500; ++i) passed += send(LegSide::kA, kA, {.sequence_number = {i}}) ? 1 : 0;
  EXPECT_EQ(passed, kLegPacketsPerSecond);
  EXPECT_EQ(bridge_.stats(LegSide::kA).over_limit, 500u);
  EXPECT_TRUE(send(LegSide::kB, kB, {})) << "the other leg has its own";
  now_ += std::chrono::seconds(1);
  EXPECT_TRUE(send(LegSide::kA, kA, {.sequence_number = {1500}}));
}

TEST_F(BridgeTest, MakesRtcpOfItsOwnOnlyForWhoHearsNoneOfTheOther) {
  send(LegSide::kA, kA, {});
  send(LegSide::kB, kB, {});
  now_ += std::chrono::seconds(9);
  deliver(LegSide::kB, rtcp_of(kB), receiver_report({0xbbbb}), Component::kRtcp);
  now_ += std::chrono::seconds(2);
  Outbox outbox;
  bridge_.tick(now_, wall_, outbox);
  ASSERT_EQ(outbox.size(), 1u);  // A sent none for 11 s, so B gets ours; B's pass to A
  EXPECT_EQ(outbox.begin()->to, rtcp_of(kB));
  EXPECT_EQ(outbox.begin()->bytes[1], 200);
  outbox.clear();
  bridge_.tick(now_ + std::chrono::seconds(1), wall_, outbox);
  EXPECT_EQ(outbox.size(), 0u);
}

TEST_F(BridgeTest, TakesRtcpOnTheRtpPortOnlyWithMux) {
  EXPECT_FALSE(deliver(LegSide::kB, kB, receiver_report({0xbbbb}), Component::kRtp));
  b_.rtcp_mux = true;
  configure();
  EXPECT_TRUE(deliver(LegSide::kB, kB, receiver_report({0xbbbb}), Component::kRtp));
}

TEST_F(BridgeTest, AnyBytesAtAllAreSurvived) {
  std::uint32_t random = 1;
  for (int i = 0; i < 200000; ++i) {
    std::vector<std::uint8_t> bytes(random % 80);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>((random = random * 1664525 + 1013904223) >> 24);
    random = random * 1664525 + 1013904223;
    if (!bytes.empty() && i % 2 == 0) bytes[0] = static_cast<std::uint8_t>(0x80 | (bytes[0] & 0x3f));
    if (bytes.size() > 1 && i % 3 == 0) bytes[1] = static_cast<std::uint8_t>(200 + bytes[1] % 6);
    now_ += std::chrono::milliseconds(60);
    deliver(LegSide::kA, i % 5 == 0 ? rtcp_of(kA) : kA, std::move(bytes),
            i % 5 == 0 ? Component::kRtcp : Component::kRtp);
  }
  EXPECT_GT(bridge_.stats(LegSide::kA).malformed, 0u);
}

}  // namespace
}  // namespace vas::bridge
