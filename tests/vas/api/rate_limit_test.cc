#include "vas/api/rate_limit.h"

#include <gtest/gtest.h>

namespace vas::api {
namespace {

using std::chrono::milliseconds;

TEST(RateLimit, LetsTwiceTheRateThroughAtOnceAndThenTheRate) {
  RateLimit limit;
  Time now{std::chrono::hours(1)};
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(limit.draw(3, 10, now).wait);
  const auto wait = limit.draw(3, 10, now).wait;
  ASSERT_TRUE(wait);
  EXPECT_NEAR(static_cast<double>(wait->count()), 100'000, 1'000);
  EXPECT_FALSE(limit.draw(4, 10, now).wait) << "another domain";
  now += milliseconds(100);
  EXPECT_FALSE(limit.draw(3, 10, now).wait);
  EXPECT_TRUE(limit.draw(3, 10, now).wait);
  now += std::chrono::hours(1);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(limit.draw(3, 10, now).wait);
  EXPECT_TRUE(limit.draw(3, 10, now).wait) << "an hour of silence saves no more than the burst";
}

TEST(RateLimit, SaysHowManyAreLeftAndWhenItIsFullAgain) {
  RateLimit limit;
  Time now{std::chrono::hours(1)};
  EXPECT_EQ(limit.draw(3, 10, now).left, 19);
  for (int i = 0; i < 18; ++i) limit.draw(3, 10, now);
  const RateTurn last = limit.draw(3, 10, now);
  EXPECT_FALSE(last.wait);
  EXPECT_EQ(last.left, 0);
  EXPECT_NEAR(static_cast<double>(last.full_in.count()), 2'000'000, 1'000);
  EXPECT_EQ(limit.draw(3, 10, now).left, 0) << "refused";
  now += milliseconds(550);
  EXPECT_EQ(limit.draw(3, 10, now).left, 4);
}

}  // namespace
}  // namespace vas::api
