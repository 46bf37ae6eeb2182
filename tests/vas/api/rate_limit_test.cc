#include "vas/api/rate_limit.h"

#include <gtest/gtest.h>

namespace vas::api {
namespace {

using std::chrono::milliseconds;

TEST(RateLimit, LetsTwiceTheRateThroughAtOnceAndThenTheRate) {
  RateLimit limit;
  Time now{std::chrono::hours(1)};
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(limit.take(3, 10, now));
  const auto wait = limit.take(3, 10, now);
  ASSERT_TRUE(wait);
  EXPECT_NEAR(static_cast<double>(wait->count()), 100'000, 1'000);
  EXPECT_FALSE(limit.take(4, 10, now)) << "another domain";
  now += milliseconds(100);
  EXPECT_FALSE(limit.take(3, 10, now));
  EXPECT_TRUE(limit.take(3, 10, now));
  now += std::chrono::hours(1);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(limit.take(3, 10, now));
  EXPECT_TRUE(limit.take(3, 10, now)) << "an hour of silence saves no more than the burst";
}

}  // namespace
}  // namespace vas::api
