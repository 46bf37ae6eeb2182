#include "media/rtp/receive_stats.h"

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

// RFC 3550 A.1: one odd number is no restart, wherever it is and whatever its timestamp says.
TEST(ReceiveStats, OneStrayPacketIsNoLossAndNoPartOfTheStream) {
  for (int offset = -32'000; offset <= 32'000; offset += 100) {
    if (offset >= -kRtpMaxMisorder && offset <= kRtpPlainGap) continue;
    for (const bool has_its_timestamp : {true, false}) {
      SCOPED_TRACE(testing::Message() << offset << (has_its_timestamp ? ", timestamp too" : ""));
      ReceiveStats stats;
      const auto receive = [&](int at, int number, int frame) {
        return stats.on_packet(Time(std::chrono::milliseconds(20 * at)),
                               {.ssrc = {1},
                                .sequence_number = {static_cast<std::uint16_t>(10'000 + number)},
                                .timestamp = {static_cast<std::uint32_t>(160 * frame)},
                                .clock_rate = 8000,
                                .bytes = 172});
      };
      for (int i = 0; i < 200; ++i) {
        if (i == 100) {
          ASSERT_EQ(receive(i, i + offset, has_its_timestamp ? i + offset : i), Arrived::kOnProbation);
        }
        ASSERT_EQ(receive(i, i, i), i == 0 ? Arrived::kBeginsAnew : Arrived::kGoesOn);
      }
      ASSERT_EQ(stats.summary().lost, 0);
      ASSERT_EQ(stats.summary().expected, 200);
      ASSERT_EQ(stats.summary().packets, 201u);
      ASSERT_DOUBLE_EQ(*stats.summary().jitter_max_ms, 0);
    }
  }
}

// A network that stands still and then gives what it kept, all of it or the last part: loss, and no restart.
TEST(ReceiveStats, AStallAndItsBurstAreNoRestart) {
  for (const int stall : {50, 150, 1000, 2900}) {  // packets
    for (const int lost : {0, 10, stall / 2, stall - 1}) {
      SCOPED_TRACE(testing::Message() << "a stall of " << stall << ", of which are lost " << lost);
      ReceiveStats stats;
      const auto receive = [&](int at, int number) {
        return stats.on_packet(Time(std::chrono::milliseconds(20 * at)),
                               {.ssrc = {1},
                                .sequence_number = {static_cast<std::uint16_t>(number)},
                                .timestamp = {static_cast<std::uint32_t>(160 * number)},
                                .clock_rate = 8000,
                                .bytes = 172});
      };
      for (int i = 0; i < 200; ++i) receive(i, i);
      for (int i = 200 + lost; i < 200 + stall; ++i) ASSERT_EQ(receive(200 + stall, i), Arrived::kGoesOn);
      for (int i = 200 + stall; i < 3200; ++i) ASSERT_EQ(receive(i, i), Arrived::kGoesOn);
      // Again, and now the last ones are lost.
      for (int i = 3200; i < 3200 + stall - lost; ++i) ASSERT_EQ(receive(3200 + stall, i), Arrived::kGoesOn);
      for (int i = 3200 + stall; i < 6400; ++i) ASSERT_EQ(receive(i, i), Arrived::kGoesOn);
      ASSERT_EQ(stats.summary().lost, 2 * lost);
    }
  }
}

// One that stops without its timestamps, as on a hold that nobody was told of:
// what jumps afterwards jumps still.
TEST(ReceiveStats, AfterAPauseOfHoursAJumpIsAJump) {
  ReceiveStats stats;
  const auto receive = [&](Duration at, int number, std::uint32_t timestamp) {
    return stats.on_packet(Time(at), {.ssrc = {1},
                                      .sequence_number = {static_cast<std::uint16_t>(number)},
                                      .timestamp = {timestamp},
                                      .clock_rate = 8000,
                                      .bytes = 172});
  };
  receive(std::chrono::seconds(1), 1, 160);
  EXPECT_EQ(receive(std::chrono::hours(5), 2, 320), Arrived::kGoesOn);
  EXPECT_EQ(receive(std::chrono::hours(5), 3, 320 + 8000 * 60), Arrived::kTimestampJumps);
}

// Of a sender that leaves pauses out the timestamps go on with the time, and the numbers by one.
TEST(ReceiveStats, APauseThatIsNotSentIsNoJump) {
  ReceiveStats stats;
  int number = 0;
  for (const int at_ms : {0, 20, 40, 5000, 5020, 65'000, 65'020, 65'040, 4'000'000}) {
    const auto arrived = stats.on_packet(Time(std::chrono::milliseconds(at_ms)),
                                         {.ssrc = {1},
                                          .sequence_number = {static_cast<std::uint16_t>(number)},
                                          .timestamp = {static_cast<std::uint32_t>(8 * at_ms)},
                                          .clock_rate = 8000,
                                          .bytes = 172});
    EXPECT_EQ(arrived, number == 0 ? Arrived::kBeginsAnew : Arrived::kGoesOn) << at_ms;
    ++number;
  }
  EXPECT_EQ(stats.summary().lost, 0);
}

// Two clocks that differ by 300 ppm, either way, for two hours.
TEST(ReceiveStats, AClockThatRunsAwayIsNoJump) {
  for (const int period_us : {19'994, 20'006}) {
    ReceiveStats stats;
    for (int i = 0; i < 360'000; ++i) {
      const auto arrived = stats.on_packet(Time(std::chrono::microseconds(std::int64_t{period_us} * i)),
                                           {.ssrc = {1},
                                            .sequence_number = {static_cast<std::uint16_t>(i)},
                                            .timestamp = {static_cast<std::uint32_t>(160 * i)},
                                            .clock_rate = 8000,
                                            .bytes = 172});
      ASSERT_EQ(arrived, i == 0 ? Arrived::kBeginsAnew : Arrived::kGoesOn) << i;
    }
    EXPECT_EQ(stats.summary().lost, 0);
  }
}

TEST_F(ReceiveStatsTest, AJumpOfTheTimestampsIsNoJitter) {
  for (int i = 0; i < 10; ++i) receive(i);
  const auto jump = [&](int i) {
    return stats_.on_packet(Time(std::chrono::milliseconds(20 * i)),
                            {.ssrc = {1},
                             .sequence_number = {static_cast<std::uint16_t>(first_ + i)},
                             .timestamp = {static_cast<std::uint32_t>(160 * i + 3'000'000)},
                             .clock_rate = 8000,
                             .bytes = 172});
  };
  EXPECT_EQ(jump(10), Arrived::kTimestampJumps);
  for (int i = 11; i < 20; ++i) EXPECT_EQ(jump(i), Arrived::kGoesOn);
  EXPECT_DOUBLE_EQ(*stats_.summary().jitter_max_ms, 0);
  EXPECT_EQ(stats_.summary().lost, 0);
}

TEST_F(ReceiveStatsTest, EventsUnderTheirOwnSsrcLeaveTheAudiosFiguresAlone) {
  for (int i = 0; i < 10; ++i) {
    if (i != 5) receive(i);
    const auto arrived = stats_.on_packet(Time(std::chrono::milliseconds(20 * i)),
                                          {.ssrc = {9},
                                           .sequence_number = {static_cast<std::uint16_t>(7 * i)},
                                           .timestamp = {77},
                                           .clock_rate = 8000,
                                           .bytes = 16,
                                           .is_event = true});
    EXPECT_EQ(arrived, Arrived::kAside);
  }
  EXPECT_EQ(stats_.summary().packets, 19u);
  EXPECT_EQ(stats_.summary().expected, 10);
  EXPECT_EQ(stats_.summary().lost, 1);
}

TEST_F(ReceiveStatsTest, NothingIsKnownOfAStreamThatNeverCame) {
  EXPECT_FALSE(stats_.summary().loss_percent());
  EXPECT_FALSE(stats_.summary().jitter_mean_ms);
  EXPECT_FALSE(stats_.pop_report());
}

TEST_F(ReceiveStatsTest, TheReportSpeaksOfItsIntervalAndOfTheWhole) {
  for (const int i : {0, 1, 3}) receive(i);
  const auto first = *stats_.pop_report();
  EXPECT_EQ(first.fraction_lost, 64);  // 1 of 4
  EXPECT_EQ(first.cumulative_lost, 1u);
  for (int i = 4; i < 8; ++i) receive(i);
  const auto second = *stats_.pop_report();
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
