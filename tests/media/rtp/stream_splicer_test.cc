#include "media/rtp/stream_splicer.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace vas::media {
namespace {

class StreamSplicerTest : public testing::Test {
 protected:
  Spliced splice(int at_ms, Ssrc ssrc, std::uint16_t number, std::uint32_t timestamp,
                 Arrived arrived = Arrived::kGoesOn) {
    return *splicer_.splice(Time(std::chrono::milliseconds(at_ms)),
                            {ssrc, {number}, {timestamp}, 8000, arrived});
  }
  std::optional<Spliced> event(int at_ms, Ssrc ssrc, std::uint16_t number, std::uint32_t timestamp) {
    const Arrived arrived = ssrc == Ssrc{1} ? Arrived::kGoesOn : Arrived::kAside;
    return splicer_.splice(Time(std::chrono::milliseconds(at_ms)),
                           {ssrc, {number}, {timestamp}, 8000, arrived, true});
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
  const auto next = splice(20, {1}, 30000, 5, Arrived::kBeginsAnew);
  EXPECT_EQ(next.sequence_number, SequenceNumber{1001});
  EXPECT_EQ(next.timestamp, RtpTimestamp{50'160});
}

TEST_F(StreamSplicerTest, WhatTheKernelSentAMomentAheadOfOurClockIsNoHour) {
  splice(100, {1}, 100, 160);
  rtp_splice_state state = splicer_.state();
  state.newest_at_ns += 500;
  splicer_.set_state(state);
  EXPECT_EQ(splice(100, {2}, 7, 5).timestamp, RtpTimestamp{50'160});
}

TEST_F(StreamSplicerTest, AJumpOfTheTimestampsGoesOnByTheTimeThatPassed) {
  splice(0, {1}, 100, 160);
  const auto next = splice(60, {1}, 101, 4'000'000'000, Arrived::kTimestampJumps);
  EXPECT_EQ(next.sequence_number, SequenceNumber{1001});
  EXPECT_EQ(next.timestamp, RtpTimestamp{50'480});
  EXPECT_TRUE(next.starts_segment);
  EXPECT_EQ(splice(80, {1}, 102, 4'000'000'160).timestamp, RtpTimestamp{50'640});
}

TEST_F(StreamSplicerTest, WhatIsOnProbationIsHeardAndTheStreamGoesOnBehindIt) {
  splice(0, {1}, 100, 160);
  const auto stray = splice(20, {1}, 9000, 5, Arrived::kOnProbation);
  EXPECT_EQ(stray.sequence_number, SequenceNumber{1001});
  EXPECT_EQ(stray.timestamp, RtpTimestamp{50'160});
  const auto next = splice(40, {1}, 101, 320);
  EXPECT_EQ(next.sequence_number, SequenceNumber{1002});
  EXPECT_EQ(next.timestamp, RtpTimestamp{50'320});
  EXPECT_EQ(splice(60, {1}, 102, 480).sequence_number, SequenceNumber{1003});
}

TEST_F(StreamSplicerTest, WhatIsBorneOutIsOneSegment) {
  splice(0, {1}, 100, 160);
  splice(20, {1}, 9000, 5, Arrived::kOnProbation);
  const auto next = splice(40, {1}, 9001, 165, Arrived::kBeginsAnew);
  EXPECT_EQ(next.sequence_number, SequenceNumber{1002});
  EXPECT_EQ(next.timestamp, RtpTimestamp{50'320});
  EXPECT_FALSE(next.starts_segment);
}

TEST_F(StreamSplicerTest, WhatComesLateFromBeforeASeamHasNoNumber) {
  for (std::uint16_t i = 0; i < 5; ++i) splice(20 * i, {1}, i, 160U * i);
  splice(100, {1}, 50, 9000, Arrived::kBeginsAnew);
  EXPECT_FALSE(splicer_.splice(Time(std::chrono::milliseconds(101)), {{1}, {49}, {8840}, 8000}));
  EXPECT_EQ(splice(120, {1}, 51, 9160).sequence_number, SequenceNumber{1006});
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

TEST_F(StreamSplicerTest, WhatIsSkippedTwiceOrTooLateMovesNothing) {
  splice(0, {1}, 10, 160);
  splicer_.skip({{1}, {11}, {160}, 8000});
  splicer_.skip({{1}, {11}, {160}, 8000});  // the network's copy
  EXPECT_EQ(splice(40, {1}, 13, 480).sequence_number, SequenceNumber{1002});
  splicer_.skip({{1}, {12}, {160}, 8000});  // 13 has overtaken it
  EXPECT_EQ(splice(60, {1}, 14, 640).sequence_number, SequenceNumber{1003});
}

TEST_F(StreamSplicerTest, WhatComesLateKeepsItsPlaceBeforeWhatWasSkipped) {
  splice(0, {1}, 10, 160);
  for (const int number : {12, 13, 15})
    splicer_.skip({{1}, {static_cast<std::uint16_t>(number)}, {160}, 8000});
  EXPECT_EQ(splice(120, {1}, 16, 1120).sequence_number, SequenceNumber{1003});
  EXPECT_EQ(splice(121, {1}, 11, 320).sequence_number, SequenceNumber{1001});
  EXPECT_EQ(splice(122, {1}, 14, 800).sequence_number, SequenceNumber{1002});
}

TEST_F(StreamSplicerTest, EventsUnderTheirOwnSsrcAreLaidIntoTheAudio) {
  splice(0, {1}, 10, 160);
  splice(20, {1}, 11, 320);
  const auto first = event(40, {2}, 7000, 99);
  EXPECT_EQ(first->sequence_number, SequenceNumber{1002});
  EXPECT_EQ(first->timestamp, RtpTimestamp{50'320});  // 320 is now
  EXPECT_EQ(splice(41, {1}, 12, 480).sequence_number, SequenceNumber{1003});
  const auto second = event(90, {2}, 7001, 99);
  EXPECT_EQ(second->sequence_number, SequenceNumber{1004});
  EXPECT_EQ(second->timestamp, first->timestamp) << "one press, one timestamp";
  EXPECT_EQ(splice(91, {1}, 14, 800).sequence_number, SequenceNumber{1006});
  EXPECT_EQ(splice(92, {1}, 13, 640).sequence_number, SequenceNumber{1005});
  EXPECT_EQ(event(140, {2}, 7002, 9999)->timestamp, RtpTimestamp{50'640 + 49 * 8}) << "another press: now";
}

TEST_F(StreamSplicerTest, EventsWithTimestampsOfTheirOwnBeginWhenTheyCome) {
  splice(0, {1}, 10, 160);
  const auto first = event(40, {1}, 11, 3'000'000'000);
  EXPECT_EQ(first->timestamp, RtpTimestamp{50'320});
  EXPECT_EQ(event(90, {1}, 12, 3'000'000'000)->timestamp, first->timestamp);
  EXPECT_EQ(splice(100, {1}, 13, 960).timestamp, RtpTimestamp{50'800}) << "the audio's line is its own";
  EXPECT_EQ(event(120, {1}, 14, 1120)->timestamp, RtpTimestamp{50'960})
      << "one on the audio's line stays there";
}

TEST_F(StreamSplicerTest, ASeamAfterALongPressGoesOnByTheTimeSinceTheAudio) {
  splice(0, {1}, 10, 160);
  for (int i = 1; i <= 40; ++i) event(50 * i, {1}, static_cast<std::uint16_t>(10 + i), 320);
  EXPECT_EQ(splice(2020, {3}, 1, 0, Arrived::kBeginsAnew).timestamp, RtpTimestamp{50'000 + 2020 * 8});
}

TEST_F(StreamSplicerTest, IsSettledAgainWhenNothingCanComeFromBeforeAChange) {
  splice(0, {1}, 10, 160);
  EXPECT_TRUE(splicer_.is_settled());
  splicer_.skip({{1}, {11}, {160}, 8000});
  for (std::uint16_t i = 12; i < 212; ++i) splice(20 * i, {1}, i, 160U * i);
  EXPECT_FALSE(splicer_.is_settled());
  splice(20 * 212, {1}, 212, 160 * 212);
  EXPECT_TRUE(splicer_.is_settled());
}

TEST_F(StreamSplicerTest, WhatWasSkippedLongAgoMovesNothing) {
  splicer_.splice(Time{}, {{1}, {0}, {0}, 8000});
  splicer_.skip({{1}, {1}, {0}, 8000});
  std::uint16_t last = 1000;
  for (int i = 2; i < 70'000; ++i) {
    const auto spliced = splicer_.splice(Time{}, {{1}, {static_cast<std::uint16_t>(i)}, {0}, 8000});
    ASSERT_EQ(spliced->sequence_number.value, static_cast<std::uint16_t>(last + 1)) << i;
    last = spliced->sequence_number.value;
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

// A sender talks for a while and begins anew, in each way that its numbers, its timestamps and its SSRC can:
// the judge of what comes and the splicer of what goes, as a leg has them.
class Restart {
 public:
  static constexpr int kBefore = 400;
  static constexpr int kAfter = 400;
  enum class Timestamps { kGoOn, kFollowTheNumbers, kJumpFar, kJumpBack, kJumpHalf };

  Restart(int step, Timestamps timestamps, bool has_new_ssrc) {
    std::uint16_t number = 30'000;
    std::uint32_t timestamp = 1'000'000;
    for (int i = 0; i < kBefore; ++i, ++number, timestamp += 160) receive({1}, number, timestamp);
    seam_ = sent_.size();
    number = static_cast<std::uint16_t>(number - 1 + step);
    switch (timestamps) {
      case Timestamps::kGoOn: break;
      case Timestamps::kFollowTheNumbers: timestamp += static_cast<std::uint32_t>(160 * (step - 1)); break;
      case Timestamps::kJumpFar: timestamp += 5'000'000; break;
      case Timestamps::kJumpBack: timestamp -= 900'000; break;
      case Timestamps::kJumpHalf: timestamp += 0x80000000; break;
    }
    for (int i = 0; i < kAfter; ++i, ++number, timestamp += 160)
      receive({has_new_ssrc ? 2U : 1U}, number, timestamp);
  }

  // Packets of the second stream that the listener has no use for:
  // not sent, or under a number that was there.
  int useless() const {
    std::set<std::uint16_t> known;
    int fresh = 0;
    for (std::size_t i = 0; i < sent_.size(); ++i) {
      const bool is_new = known.insert(sent_[i].sequence_number.value).second;
      fresh += i >= seam_ && is_new && !goes_back(i) ? 1 : 0;
    }
    return kAfter - fresh;
  }
  // The longest way from one number, and one timestamp, to the next that is new.
  int longest_number_step() const { return longest_number_step_; }
  std::int64_t longest_timestamp_step() const { return longest_timestamp_step_; }
  std::int64_t lost() const { return stats_.summary().lost; }
  double jitter_max_ms() const { return stats_.summary().jitter_max_ms.value_or(0); }

 private:
  void receive(Ssrc ssrc, std::uint16_t number, std::uint32_t timestamp) {
    now_ += std::chrono::milliseconds(20);
    const Arrived arrived = stats_.on_packet(
        now_, {.ssrc = ssrc, .sequence_number = {number}, .timestamp = {timestamp}, .bytes = 172});
    const auto spliced = splicer_.splice(now_, {ssrc, {number}, {timestamp}, 8000, arrived});
    if (!spliced) return;
    if (!sent_.empty()) {
      const int step = static_cast<std::int16_t>(
          static_cast<std::uint16_t>(spliced->sequence_number.value - newest_.sequence_number.value));
      if (step > 0) {
        longest_number_step_ = std::max(longest_number_step_, step);
        const std::int64_t ticks =
            static_cast<std::int32_t>(spliced->timestamp.value - newest_.timestamp.value);
        longest_timestamp_step_ =
            std::max(longest_timestamp_step_, ticks < 0 ? 1'000'000'000 - ticks : ticks);
        newest_ = *spliced;
      }
    } else {
      newest_ = *spliced;
    }
    sent_.push_back(*spliced);
  }
  bool goes_back(std::size_t at) const {
    return at > 0 && static_cast<std::int16_t>(static_cast<std::uint16_t>(
                         sent_[at].sequence_number.value - sent_[at - 1].sequence_number.value)) < 0;
  }

  Time now_{std::chrono::hours(1)};
  ReceiveStats stats_;
  StreamSplicer splicer_{{65'400}, {0xffff0000}};
  std::vector<Spliced> sent_;
  Spliced newest_{};
  std::size_t seam_ = 0;
  int longest_number_step_ = 0;
  std::int64_t longest_timestamp_step_ = 0;
};

using Timestamps = Restart::Timestamps;
constexpr Timestamps kAllTimestamps[] = {Timestamps::kGoOn, Timestamps::kFollowTheNumbers,
                                         Timestamps::kJumpFar, Timestamps::kJumpBack, Timestamps::kJumpHalf};

std::vector<int> all_steps() {
  std::vector<int> steps;
  for (int step = -330; step <= 330; ++step) steps.push_back(step);
  for (const int step : {400, 1023, 1024, 1025, 2500, 2999, 3000, 3001, 9000, 20'000, 32'000}) {
    steps.push_back(step);
    steps.push_back(-step);
  }
  return steps;
}

TEST(Restarts, OfOneSsrcGiveTheListenerOneUnbrokenStream) {
  for (const int step : all_steps()) {
    for (const Timestamps timestamps : kAllTimestamps) {
      SCOPED_TRACE(testing::Message()
                   << "numbers " << step << ", timestamps " << static_cast<int>(timestamps));
      const bool follows = timestamps == Timestamps::kFollowTheNumbers;
      const bool is_loss_to_all =
          step > 0 && step <= kRtpPlainGap && (timestamps == Timestamps::kGoOn || (follows && step <= 51));
      const bool was_there = step <= 0 && step >= -kRtpMaxMisorder;
      const Restart restart(step, timestamps, false);
      if (follows && was_there) {
        // Just as a network repeats: it takes half a second of nothing but repeats to say otherwise.
        ASSERT_LE(restart.useless(), kRtpMaxRepeats + 1);
      } else {
        ASSERT_EQ(restart.useless(), step == 0 && timestamps != Timestamps::kJumpFar ? 1 : 0);
      }
      ASSERT_LE(restart.longest_number_step(), is_loss_to_all ? step : 1);
      ASSERT_LE(restart.longest_timestamp_step(), 8160 + 160 * (kRtpMaxRepeats + 2));
      ASSERT_EQ(restart.lost(), is_loss_to_all ? step - 1 : 0);
      ASSERT_LT(restart.jitter_max_ms(), 70);
    }
  }
}

TEST(Restarts, OfAnotherSsrcAreNoGapAtAll) {
  for (const int step : all_steps()) {
    for (const Timestamps timestamps : kAllTimestamps) {
      SCOPED_TRACE(testing::Message()
                   << "numbers " << step << ", timestamps " << static_cast<int>(timestamps));
      const Restart restart(step, timestamps, true);
      ASSERT_EQ(restart.useless(), 0);
      ASSERT_EQ(restart.longest_number_step(), 1);
      ASSERT_EQ(restart.longest_timestamp_step(), 160);
      ASSERT_EQ(restart.lost(), 0);
    }
  }
}

}  // namespace
}  // namespace vas::media
