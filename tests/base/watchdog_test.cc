#include "base/watchdog.h"

#include <gtest/gtest.h>

namespace vas {
namespace {

using State = Pulse::State;

class WatchdogTest : public testing::Test {
 protected:
  State state(std::size_t part) const { return watchdog_.seen(now_)[part].reading.state; }
  // One round; the threads confirm where `confirms` says so.
  void round() {
    watchdog_.ask(now_);
    if (worker_confirms_) worker_.confirm();
    if (store_confirms_) store_.confirm();
    now_ += Watchdog::kPatience;
    watchdog_.look(now_);
    now_ += Watchdog::kEach - Watchdog::kPatience;
  }

  Time now_{std::chrono::seconds(1000)};
  Pulse worker_, store_;
  bool worker_confirms_ = true, store_confirms_ = true;
  Watchdog watchdog_{{{"worker", &worker_, [this](Time now) { worker_.ask(now); }, true},
                      {"store", &store_, [this](Time now) { store_.ask(now); }}}};
};

TEST_F(WatchdogTest, WhoConfirmsIsWell) {
  for (int i = 0; i < 3; ++i) round();
  EXPECT_EQ(state(0), State::kWell);
  EXPECT_EQ(state(1), State::kWell);
}

// The worst moment: it sticks just after it confirmed.
TEST_F(WatchdogTest, AStuckThreadIsSeenWithinTwoSeconds) {
  round();
  worker_confirms_ = false;
  const Time stuck_at = now_ - Watchdog::kEach;
  while (state(0) == State::kWell && now_ - stuck_at < std::chrono::seconds(9)) round();
  EXPECT_LE(now_ - stuck_at, std::chrono::seconds(2));
  EXPECT_EQ(state(1), State::kWell) << "and it alone";
  worker_confirms_ = true;
  worker_.confirm();
  round();
  EXPECT_EQ(state(0), State::kWell);
}

TEST_F(WatchdogTest, ItSaysSinceWhen) {
  worker_confirms_ = false;
  const Time asked_at = now_;
  for (int i = 0; i < 4; ++i) round();
  EXPECT_EQ(watchdog_.seen(now_)[0].reading.since, asked_at);
}

TEST_F(WatchdogTest, AFailingPartIsFailingWhileItConfirmsAndStuckWhenItDoesNot) {
  store_.fail(now_);
  round();
  EXPECT_EQ(state(1), State::kFailing);
  store_confirms_ = false;
  round();
  EXPECT_EQ(state(1), State::kStuck);
  store_.confirm();
  store_.succeed();
  EXPECT_EQ(state(1), State::kWell);
}

// A restart ends calls: it is asked for only where it gives back what is lost.
TEST_F(WatchdogTest, OnlyWhatCarriesCallsIsGivenUp) {
  worker_confirms_ = store_confirms_ = false;
  for (int i = 0; i < 9; ++i) round();
  EXPECT_FALSE(watchdog_.seen(now_)[0].is_given_up);
  for (int i = 0; i < 2; ++i) round();
  EXPECT_TRUE(watchdog_.seen(now_)[0].is_given_up);
  EXPECT_FALSE(watchdog_.seen(now_)[1].is_given_up);
}

TEST(Pulse, AnOlderQuestionStandsUntilItIsAnswered) {
  Pulse pulse;
  pulse.ask(Time(std::chrono::seconds(1)));
  pulse.ask(Time(std::chrono::seconds(5)));
  const auto reading = pulse.read(Time(std::chrono::seconds(5)), std::chrono::seconds(2));
  EXPECT_EQ(reading.state, State::kStuck);
  EXPECT_EQ(reading.since, Time(std::chrono::seconds(1)));
}

}  // namespace
}  // namespace vas
