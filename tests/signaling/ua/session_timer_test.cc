#include "signaling/ua/session_timer.h"

#include <gtest/gtest.h>

namespace vas::signaling {
namespace {

using std::chrono::seconds;

TEST(SessionTimer, WhoRefreshesDoesSoAtHalfTheIntervalOnce) {
  SessionTimer timer;
  timer.restart(Time{}, 120, true);
  EXPECT_FALSE(timer.claim_refresh(Time(seconds(59))));
  EXPECT_TRUE(timer.claim_refresh(Time(seconds(60))));
  EXPECT_FALSE(timer.claim_refresh(Time(seconds(61))));
  EXPECT_FALSE(timer.is_expired(Time(seconds(119))));
  EXPECT_TRUE(timer.is_expired(Time(seconds(120))));
}

TEST(SessionTimer, TheOtherGivesUpBeforeTheEnd) {
  SessionTimer timer;
  timer.restart(Time{}, 120, false);
  EXPECT_FALSE(timer.claim_refresh(Time(seconds(100))));
  EXPECT_FALSE(timer.is_expired(Time(seconds(87))));
  EXPECT_TRUE(timer.is_expired(Time(seconds(88))));
}

TEST(SessionTimer, ARefusedRefreshIsTriedAgainWhileThePeerListens) {
  SessionTimer timer;
  timer.restart(Time{}, 90, true);  // the peer gives up after 60 s
  Time now(seconds(45));
  ASSERT_TRUE(timer.claim_refresh(now));
  int tries = 0;
  for (timer.retry(now, Duration::zero()); now < Time(seconds(60)); now += std::chrono::milliseconds(100)) {
    if (!timer.claim_refresh(now)) continue;
    ++tries;
    timer.retry(now, Duration::zero());
  }
  EXPECT_GE(tries, 3);
  EXPECT_LE(tries, 6);
}

TEST(SessionTimer, WaitsAsLongAsItIsAskedToUnlessThePeerWouldGiveUp) {
  SessionTimer timer;
  timer.restart(Time{}, 1800, true);
  timer.retry(Time(seconds(900)), seconds(20));
  EXPECT_FALSE(timer.claim_refresh(Time(seconds(919))));
  EXPECT_TRUE(timer.claim_refresh(Time(seconds(920))));
  timer.retry(Time(seconds(1760)), seconds(600));
  EXPECT_TRUE(timer.claim_refresh(Time(seconds(1764))));
  EXPECT_FALSE(timer.is_expired(Time(seconds(1799))));
  EXPECT_TRUE(timer.is_expired(Time(seconds(1800))));
}

TEST(SessionTimer, EachRefusalMakesItWaitLonger) {
  SessionTimer timer;
  timer.restart(Time{}, 1800, true);
  Time now(seconds(900));
  for (const int wait : {2, 4, 8, 16, 32, 32}) {
    timer.retry(now, Duration::zero());
    now += seconds(wait);
    EXPECT_FALSE(timer.claim_refresh(now - std::chrono::milliseconds(1))) << wait;
    EXPECT_TRUE(timer.claim_refresh(now)) << wait;
  }
}

TEST(SessionTimer, NoneNeverExpires) {
  SessionTimer timer;
  timer.restart(Time{}, 0, true);
  EXPECT_FALSE(timer.is_expired(Time(std::chrono::hours(1000))));
}

}  // namespace
}  // namespace vas::signaling
