#include "signaling/ua/session_timer.h"

#include <gtest/gtest.h>

namespace vas::signaling {
namespace {

using std::chrono::seconds;

TEST(SessionTimer, WhoRefreshesDoesSoAtHalfTheIntervalOnce) {
  SessionTimer timer;
  timer.restart(Time{}, 120, true);
  EXPECT_FALSE(timer.takes_refresh(Time(seconds(59))));
  EXPECT_TRUE(timer.takes_refresh(Time(seconds(60))));
  EXPECT_FALSE(timer.takes_refresh(Time(seconds(61))));
  EXPECT_FALSE(timer.is_expired(Time(seconds(119))));
  EXPECT_TRUE(timer.is_expired(Time(seconds(120))));
}

TEST(SessionTimer, TheOtherGivesUpBeforeTheEnd) {
  SessionTimer timer;
  timer.restart(Time{}, 120, false);
  EXPECT_FALSE(timer.takes_refresh(Time(seconds(100))));
  EXPECT_FALSE(timer.is_expired(Time(seconds(87))));
  EXPECT_TRUE(timer.is_expired(Time(seconds(88))));
}

TEST(SessionTimer, NoneNeverExpires) {
  SessionTimer timer;
  timer.restart(Time{}, 0, true);
  EXPECT_FALSE(timer.is_expired(Time(std::chrono::hours(1000))));
}

}  // namespace
}  // namespace vas::signaling
