#include "vas/calls/call_timers.h"

#include <gtest/gtest.h>

namespace vas::calls {
namespace {

TEST(CallTimers, GivesTheEarliestFirstAndEachOnce) {
  CallTimers timers;
  EXPECT_EQ(timers.next(), kNever);
  timers.set(CallTimer::kTimeLimit, Time(std::chrono::seconds(5)));
  timers.set(CallTimer::kRing, Time(std::chrono::seconds(3)));
  EXPECT_EQ(timers.next(), Time(std::chrono::seconds(3)));
  EXPECT_FALSE(timers.pop_due(Time(std::chrono::seconds(2))));
  EXPECT_EQ(timers.pop_due(Time(std::chrono::seconds(9))), CallTimer::kRing);
  EXPECT_EQ(timers.pop_due(Time(std::chrono::seconds(9))), CallTimer::kTimeLimit);
  EXPECT_FALSE(timers.pop_due(Time(std::chrono::seconds(9))));
}

}  // namespace
}  // namespace vas::calls
