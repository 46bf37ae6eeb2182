#include "base/token_bucket.h"

#include <gtest/gtest.h>

namespace vas {
namespace {

using namespace std::chrono_literals;

const Time kStart{std::chrono::hours(1)};

int draw_all(TokenBucket& bucket, const TokenRate& rate, Time now) {
  int drawn = 0;
  while (bucket.draw(rate, now)) ++drawn;
  return drawn;
}

TEST(TokenBucket, HoldsTwoSecondsWorthWhereNothingElseIsSaid) {
  for (const double per_second : {1.0, 1.5, 3.0, 7.0, 10.0, 333.0, 400'000.0}) {
    TokenBucket bucket;
    EXPECT_EQ(draw_all(bucket, {per_second}, kStart), static_cast<int>(2 * per_second)) << per_second;
    EXPECT_EQ(draw_all(bucket, {per_second}, kStart), 0) << per_second;
  }
}

TEST(TokenBucket, FillsAtItsRateAndNoFurtherThanItsDepth) {
  TokenBucket bucket;
  const TokenRate rate{10};
  draw_all(bucket, rate, kStart);
  EXPECT_FALSE(bucket.draw(rate, kStart + 99ms));
  EXPECT_TRUE(bucket.draw(rate, kStart + 100ms));
  EXPECT_FALSE(bucket.draw(rate, kStart + 100ms));
  EXPECT_EQ(bucket.tokens(rate, kStart + 650ms), 5);
  EXPECT_EQ(draw_all(bucket, rate, kStart + std::chrono::hours(1)), 20);
}

TEST(TokenBucket, HasADepthOfItsOwn) {
  TokenBucket bucket;
  const TokenRate rate{10 / 60.0, 20};
  EXPECT_EQ(draw_all(bucket, rate, kStart), 20);
  EXPECT_FALSE(bucket.has_token(rate, kStart + 5999ms));
  EXPECT_TRUE(bucket.has_token(rate, kStart + 6001ms));
}

TEST(TokenBucket, SaysHowLongToWaitAndWhenItIsFull) {
  TokenBucket bucket;
  const TokenRate rate{10};
  EXPECT_TRUE(bucket.is_full(kStart));
  EXPECT_EQ(bucket.wait(rate, kStart), 0ms);
  draw_all(bucket, rate, kStart);
  EXPECT_EQ(bucket.wait(rate, kStart + 40ms), 60ms);
  EXPECT_EQ(bucket.full_in(kStart + 40ms), 1960ms);
  EXPECT_FALSE(bucket.is_full(kStart + 1999ms));
  EXPECT_TRUE(bucket.is_full(kStart + 2s));
}

TEST(TokenBucket, SpendingWhatIsNotThereMakesNoDebt) {
  TokenBucket bucket;
  const TokenRate rate{10};
  for (int i = 0; i < 100; ++i) bucket.spend(rate, kStart);
  EXPECT_FALSE(bucket.has_token(rate, kStart + 99ms));
  EXPECT_TRUE(bucket.has_token(rate, kStart + 100ms));
}

TEST(TokenBucket, RatesThatNobodyReachesAreNoTrouble) {
  TokenBucket bucket;
  const TokenRate rate{1e9};
  for (int i = 0; i < 100'000; ++i) ASSERT_TRUE(bucket.draw(rate, kStart));
  EXPECT_TRUE(bucket.is_full(kStart + 1ms));
}

TEST(TokenBucket, ARateOfNothingHasNoToken) {
  TokenBucket bucket;
  EXPECT_FALSE(bucket.draw(TokenRate{0}, kStart));
  EXPECT_FALSE(bucket.draw(TokenRate{0}, kStart + 24h));
}

TEST(TokenBucket, IsKeptAsOneNumber) {
  TokenBucket bucket;
  const TokenRate rate{3};
  for (int i = 0; i < 5; ++i) bucket.draw(rate, kStart);
  TokenBucket same(bucket.state());
  EXPECT_EQ(draw_all(same, rate, kStart), 1);
  EXPECT_TRUE(TokenBucket(0).is_full(kStart));
}

}  // namespace
}  // namespace vas
