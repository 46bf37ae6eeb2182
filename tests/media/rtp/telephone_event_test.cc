#include "media/rtp/telephone_event.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/rtp_builder.h"

namespace vas::media {
namespace {

struct Sent {
  int number;
  std::uint32_t timestamp;
  std::uint8_t code;
  int duration;
  bool is_end = false;
  std::uint32_t ssrc = 1;
};

std::vector<std::uint8_t> build(const Sent& sent) {
  return build_rtp(
      {.sequence_number = {static_cast<std::uint16_t>(sent.number)},
       .timestamp = {sent.timestamp},
       .ssrc = {sent.ssrc},
       .payload = {sent.code, static_cast<std::uint8_t>(10 | (sent.is_end ? 0x80 : 0)),
                   static_cast<std::uint8_t>(sent.duration >> 8), static_cast<std::uint8_t>(sent.duration)}});
}

std::uint32_t count(const std::vector<Sent>& all) {
  TelephoneEventCounter counter;
  for (const Sent& each : all) {
    const auto bytes = build(each);
    counter.on_event(*RtpPacket::parse(bytes));
  }
  return counter.count();
}

TEST(TelephoneEventCounter, CountsAPressOnceHoweverManyPacketsCarryIt) {
  TelephoneEventCounter counter;
  for (const std::uint32_t press : {100u, 100u, 100u, 900u, 900u}) {
    const auto bytes = build_rtp({.timestamp = {press}, .payload = {5, 10, 0, 160}});
    counter.on_event(*RtpPacket::parse(bytes));
  }
  EXPECT_EQ(counter.count(), 2u);
}

TEST(TelephoneEventCounter, ALongPressInSegmentsIsOne) {
  EXPECT_EQ(count({{1, 100, 5, 160},
                   {2, 100, 5, 65'535},
                   {3, 65'635, 5, 8000},
                   {4, 131'170, 5, 100},  // the packets between are lost
                   {5, 131'170, 5, 900, true},
                   {6, 131'170, 5, 900, true}}),
            1u);
  EXPECT_EQ(count({{1, 100, 5, 8000}, {2, 8100, 5, 400}, {3, 8100, 5, 800, true}}), 1u)
      << "cut where the last packet ended";
}

TEST(TelephoneEventCounter, TheSameKeyAgainIsAnother) {
  EXPECT_EQ(
      count({{1, 100, 5, 800, true}, {2, 100, 5, 800, true}, {3, 2000, 5, 160}, {4, 2000, 5, 800, true}}),
      2u);
  EXPECT_EQ(count({{1, 100, 5, 800}, {2, 2000, 5, 160}}), 2u) << "whose end was lost";
}

TEST(TelephoneEventCounter, SeveralDigitsUnderOneTimestampAreSeveral) {
  std::vector<Sent> all;
  for (const std::uint8_t code : std::initializer_list<std::uint8_t>{10, 0, 1, 0, 0}) {
    const int number = 3 * static_cast<int>(all.size());
    for (const int i : {0, 1, 2}) all.push_back({number + i, 700, code, i == 0 ? 160 : 640, i != 0});
  }
  EXPECT_EQ(count(all), 5u);
}

TEST(TelephoneEventCounter, WhatIsOvertakenIsOfItsOwnPress) {
  EXPECT_EQ(count({{1, 100, 1, 160}, {3, 900, 2, 160}, {2, 100, 1, 640, true}, {4, 900, 2, 640, true}}), 2u);
  EXPECT_EQ(count({{1, 100, 1, 160},
                   {2, 100, 1, 640, true},
                   {5, 900, 1, 160},
                   {3, 100, 1, 640, true},
                   {6, 900, 1, 640, true}}),
            2u);
  EXPECT_EQ(count({{2, 100, 1, 640}, {3, 100, 1, 800, true}, {1, 100, 1, 160}}), 1u) << "its own start";
  EXPECT_EQ(count({{1, 100, 5, 65'535}, {3, 65'635, 5, 80}, {2, 100, 5, 65'535}, {4, 65'635, 5, 160, true}}),
            1u)
      << "of the segment before";
}

TEST(TelephoneEventCounter, TheSameUnderAnotherSsrcIsAnother) {
  EXPECT_EQ(count({{1, 100, 5, 800, true, 1}, {1, 100, 5, 800, true, 2}}), 2u);
}

TEST(TelephoneEventCounter, ATooShortPayloadIsNoPress) {
  TelephoneEventCounter counter;
  const auto bytes = build_rtp({.payload = {5, 10, 0}});
  counter.on_event(*RtpPacket::parse(bytes));
  EXPECT_EQ(counter.count(), 0u);
}

class TelephoneEventScalerTest : public testing::Test {
 protected:
  TelephoneEventScaler::Scaled scale(const Sent& sent, std::uint32_t from, std::uint32_t to) {
    const auto bytes = build(sent);
    const auto packet = RtpPacket::parse(bytes);
    return scaler_.scale(*packet, *TelephoneEvent::parse(*packet), from, to);
  }
  TelephoneEventScaler scaler_;
};

TEST_F(TelephoneEventScalerTest, AHundredMillisecondsStayAHundred) {
  for (const std::uint32_t from : {8000u, 16'000u, 32'000u, 48'000u}) {
    for (const std::uint32_t to : {8000u, 16'000u, 32'000u, 48'000u}) {
      for (int ms = 10; ms * from / 1000 <= 0xffff && ms * to / 1000 <= 0xffff; ms += 10) {
        const auto scaled = scale({1, 100, 5, static_cast<int>(ms * from / 1000)}, from, to);
        ASSERT_EQ(scaled.duration, ms * to / 1000);
        ASSERT_EQ(scaled.segment_shift, 0u);
        ASSERT_EQ(scaled.press, RtpTimestamp{100});
      }
    }
  }
}

TEST_F(TelephoneEventScalerTest, NothingThatLastsLastsNoTimeAtAll) {
  EXPECT_EQ(scale({1, 100, 5, 1}, 48'000, 8000).duration, 1);
  EXPECT_EQ(scale({1, 100, 5, 0}, 48'000, 8000).duration, 0);
}

TEST_F(TelephoneEventScalerTest, APressThatOutgrowsItsFieldGoesOnInSegments) {
  EXPECT_EQ(scale({1, 100, 5, 10'922}, 8000, 48'000).segment_shift, 0u);
  const auto second = scale({2, 100, 5, 16'000}, 8000, 48'000);  // 2 s
  EXPECT_EQ(second.segment_shift, 65'535u);
  EXPECT_EQ(second.duration, 96'000 - 65'535);
  const auto full = scale({3, 100, 5, 65'535}, 8000, 48'000);
  EXPECT_EQ(full.segment_shift, 5u * 65'535);
  EXPECT_EQ(full.duration, 65'535);
}

TEST_F(TelephoneEventScalerTest, SegmentsThatComeAreJoined) {
  scale({1, 100, 5, 65'000}, 48'000, 8000);
  const auto second = scale({2, 100 + 65'535, 5, 4800}, 48'000, 8000);
  EXPECT_EQ(second.press, RtpTimestamp{100});
  EXPECT_EQ(second.duration, (65'535 + 4800 + 3) / 6);
  const auto end = scale({3, 100 + 65'535, 5, 9600, true}, 48'000, 8000);
  EXPECT_EQ(end.press, RtpTimestamp{100});
  EXPECT_EQ(end.duration, (65'535 + 9600 + 3) / 6);
  EXPECT_EQ(scale({4, 300'000, 5, 4800}, 48'000, 8000).press, RtpTimestamp{300'000});
}

}  // namespace
}  // namespace vas::media
