#include "media/receive_stats.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

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

// Loss, reordering by up to 60 and duplicates over several wraps, against sets that remember every number.
TEST(ReceiveStats, CountsAsOneWhoRemembersEveryNumberWould) {
  std::mt19937 random(7);
  std::vector<int> order;
  std::set<int> sent;
  for (int i = 0; i < 200'000; ++i) {
    const auto fate = random() % 100;
    if (fate < 3 && i > 0 && i < 199'999) continue;
    order.push_back(i);
    sent.insert(i);
    if (fate == 50) order.push_back(i);
  }
  for (std::size_t i = 100; i + 100 < order.size(); ++i) {
    if (random() % 20 == 0) std::swap(order[i], order[i + random() % 60]);
  }
  ReceiveStats stats;
  std::set<int> seen;
  std::uint64_t late = 0;
  std::uint64_t repeated = 0;
  for (const int i : order) {
    if (!seen.insert(i).second) {
      ++repeated;
    } else if (i < *seen.rbegin()) {
      ++late;
    }
    stats.on_packet(Time(std::chrono::milliseconds(20 * i)),
                    {.ssrc = {1},
                     .sequence_number = {static_cast<std::uint16_t>(65'000 + i)},
                     .timestamp = {static_cast<std::uint32_t>(160 * i)},
                     .clock_rate = 8000,
                     .bytes = 172});
  }
  EXPECT_EQ(stats.summary().packets, order.size());
  EXPECT_EQ(stats.summary().expected, 200'000);
  EXPECT_EQ(stats.summary().lost, 200'000 - static_cast<std::int64_t>(sent.size()));
  EXPECT_EQ(stats.summary().duplicates, repeated);
  EXPECT_EQ(stats.summary().out_of_order, late);
}

}  // namespace
}  // namespace vas::media
