#include "base/clock.h"

#include <gtest/gtest.h>

namespace vas {
namespace {

using std::chrono::milliseconds;

TEST(Clock, WritesTimesAsJsonAndHttpHaveThem) {
  const WallTime time{milliseconds(1795327680123)};
  EXPECT_EQ(to_rfc3339(time), "2026-11-22T06:08:00.123Z");
  EXPECT_EQ(to_http_date(time), "Sun, 22 Nov 2026 06:08:00 GMT");
  EXPECT_EQ(to_http_date(WallTime{milliseconds(784111777000)}),
            "Sun, 06 Nov 1994 08:49:37 GMT");  // RFC 9110's
}

}  // namespace
}  // namespace vas
