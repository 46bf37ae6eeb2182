#include "media/receive_stats.h"

#include <gtest/gtest.h>

#include "media/sequence_unwrapper.h"

namespace vas::media {
namespace {

class ReceiveStatsTest : public testing::Test {
 protected:
  // Frame `i` of 20 ms, `late` after its time.
  void receive(int i, Duration late = {}, Ssrc ssrc = {1}) {
    stats_.on_packet(Time(std::chrono::milliseconds(20 * i)) + late,
                     {.ssrc = ssrc,
                      .sequence_number = {static_cast<std::uint16_t>(first_ + i)},
                      .timestamp = {static_cast<std::uint32_t>(160 * i)},
                      .clock_rate = 8000,
                      .bytes = 172});
  }
  ReceiveStats stats_;
  int first_ = 65500;  // wraps soon
};

TEST_F(ReceiveStatsTest, CountsLossAcrossAWrap) {
  for (int i = 0; i < 100; ++i) {
    if (i != 10 && i != 50 && i != 51) receive(i);
  }
  const auto summary = stats_.summary();
  EXPECT_EQ(summary.packets, 97u);
  EXPECT_EQ(summary.expected, 100);
  EXPECT_EQ(summary.lost, 3);
  EXPECT_DOUBLE_EQ(*summary.loss_percent(), 3.0);
}

TEST_F(ReceiveStatsTest, ADuplicateDoesNotMakeUpForALoss) {
  for (const int i : {0, 1, 1, 3}) receive(i);
  EXPECT_EQ(stats_.summary().lost, 1);
  EXPECT_EQ(stats_.summary().duplicates, 1u);
}

TEST_F(ReceiveStatsTest, ALatePacketIsOutOfOrderAndNotLost) {
  for (const int i : {0, 2, 1, 3}) receive(i);
  EXPECT_EQ(stats_.summary().lost, 0);
  EXPECT_EQ(stats_.summary().out_of_order, 1u);
}

TEST_F(ReceiveStatsTest, APerfectStreamHasNoJitterAndAnAlternatingOneTheRfcsFormula) {
  for (int i = 0; i < 50; ++i) receive(i);
  EXPECT_DOUBLE_EQ(*stats_.summary().jitter_mean_ms, 0);

  ReceiveStats other;
  std::swap(stats_, other);
  double jitter = 0;
  double sum = 0;
  for (int i = 0; i < 50; ++i) {
    receive(i, std::chrono::milliseconds(i % 2 == 0 ? 0 : 8));
    if (i == 0) continue;
    jitter += (8.0 - jitter) / 16;  // RFC 3550 A.8: |D| is 8 ms every time
    sum += jitter;
  }
  EXPECT_NEAR(*stats_.summary().jitter_mean_ms, sum / 49, 0.01);
  EXPECT_NEAR(*stats_.summary().jitter_max_ms, jitter, 0.01);
}

TEST_F(ReceiveStatsTest, ANewSsrcAndARestartedSequenceAreNotLoss) {
  for (int i = 0; i < 10; ++i) receive(i);
  for (int i = 0; i < 10; ++i) receive(i + 20000, {}, {2});
  for (int i = 0; i < 10; ++i) receive(i + 40000, {}, {2});
  EXPECT_EQ(stats_.summary().lost, 0);
  EXPECT_EQ(stats_.summary().expected, 30);
}

TEST_F(ReceiveStatsTest, NothingIsKnownOfAStreamThatNeverCame) {
  EXPECT_FALSE(stats_.summary().loss_percent());
  EXPECT_FALSE(stats_.summary().jitter_mean_ms);
  EXPECT_FALSE(stats_.take_report());
}

TEST_F(ReceiveStatsTest, TheReportSpeaksOfItsIntervalAndOfTheWhole) {
  for (const int i : {0, 1, 3}) receive(i);
  const auto first = *stats_.take_report();
  EXPECT_EQ(first.fraction_lost, 64);  // 1 of 4
  EXPECT_EQ(first.cumulative_lost, 1u);
  for (int i = 4; i < 8; ++i) receive(i);
  const auto second = *stats_.take_report();
  EXPECT_EQ(second.fraction_lost, 0);
  EXPECT_EQ(second.cumulative_lost, 1u);
  EXPECT_EQ(second.extended_highest & 0xffff, static_cast<std::uint16_t>(first_ + 7));
}

TEST(SequenceUnwrapper, KeepsOrderOverWrapsAndReordering) {
  SequenceUnwrapper unwrapper;
  EXPECT_EQ(unwrapper.unwrap({65535}), 65535);
  EXPECT_EQ(unwrapper.unwrap({1}), 65537);
  EXPECT_EQ(unwrapper.unwrap({0}), 65536);
  EXPECT_EQ(unwrapper.unwrap({65535}), 65535);
  EXPECT_EQ(unwrapper.unwrap({2}), 65538);
}

}  // namespace
}  // namespace vas::media
