#include "media/stream_splicer.h"

#include <gtest/gtest.h>

namespace vas::media {
namespace {

class StreamSplicerTest : public testing::Test {
 protected:
  Spliced splice(int at_ms, Ssrc ssrc, std::uint16_t number, std::uint32_t timestamp) {
    return splicer_.splice(Time(std::chrono::milliseconds(at_ms)), {ssrc, {number}, {timestamp}, 8000});
  }
  StreamSplicer splicer_{{1000}, {50'000}};
};

TEST_F(StreamSplicerTest, StartsWhereItWasToldAndKeepsGaps) {
  const auto first = splice(0, {1}, 7, 160);
  EXPECT_EQ(first.sequence_number, SequenceNumber{1000});
  EXPECT_EQ(first.timestamp, RtpTimestamp{50'000});
  EXPECT_TRUE(first.starts_segment);
  const auto after_loss = splice(60, {1}, 10, 640);
  EXPECT_EQ(after_loss.sequence_number, SequenceNumber{1003});
  EXPECT_EQ(after_loss.timestamp, RtpTimestamp{50'480});
  EXPECT_FALSE(after_loss.starts_segment);
}

TEST_F(StreamSplicerTest, ANewSsrcGoesOnByOneNumberAndTheTimeThatPassed) {
  splice(0, {1}, 65535, 160);
  const auto next = splice(100, {2}, 7000, 9'999'999);
  EXPECT_EQ(next.sequence_number, SequenceNumber{1001});
  EXPECT_EQ(next.timestamp, RtpTimestamp{50'800});
  EXPECT_TRUE(next.starts_segment);
}

TEST_F(StreamSplicerTest, ARestartedSequenceOfOneSsrcIsASeamToo) {
  splice(0, {1}, 100, 160);
  const auto next = splice(20, {1}, 30000, 5);
  EXPECT_EQ(next.sequence_number, SequenceNumber{1001});
  EXPECT_EQ(next.timestamp, RtpTimestamp{50'160});
}

TEST_F(StreamSplicerTest, ALatePacketKeepsItsPlaceAndMovesNothing) {
  splice(0, {1}, 10, 160);
  splice(40, {1}, 12, 480);
  EXPECT_EQ(splice(41, {1}, 11, 320).sequence_number, SequenceNumber{1001});
  EXPECT_EQ(splice(60, {1}, 13, 640).sequence_number, SequenceNumber{1003});
}

TEST_F(StreamSplicerTest, WhatIsSkippedLeavesNoGap) {
  splice(0, {1}, 10, 160);
  splicer_.skip({{1}, {11}, {160}, 8000});
  EXPECT_EQ(splice(40, {1}, 12, 480).sequence_number, SequenceNumber{1001});
}

TEST_F(StreamSplicerTest, WhatWasSkippedLongAgoMovesNothing) {
  splicer_.splice(Time{}, {{1}, {0}, {0}, 8000});
  splicer_.skip({{1}, {1}, {0}, 8000});
  std::uint16_t last = 1000;
  for (int i = 2; i < 70'000; ++i) {
    const auto spliced = splicer_.splice(Time{}, {{1}, {static_cast<std::uint16_t>(i)}, {0}, 8000});
    ASSERT_EQ(spliced.sequence_number.value, static_cast<std::uint16_t>(last + 1)) << i;
    last = spliced.sequence_number.value;
  }
}

TEST_F(StreamSplicerTest, APauseOfOursIsClosed) {
  splice(0, {1}, 10, 160);
  splicer_.restart();
  const auto next = splice(2000, {1}, 110, 16'160);
  EXPECT_EQ(next.sequence_number, SequenceNumber{1001});
  EXPECT_EQ(next.timestamp, RtpTimestamp{66'000});
}

TEST_F(StreamSplicerTest, TranslatesReportsBothWays) {
  splice(0, {1}, 10, 160);
  EXPECT_EQ(splicer_.translate_timestamp({1}, {320}), RtpTimestamp{50'160});
  EXPECT_FALSE(splicer_.translate_timestamp({2}, {320}));
  EXPECT_EQ(splicer_.untranslate_sequence(0x10000 | 1005), 0x10000u | 15);
}

}  // namespace
}  // namespace vas::media
