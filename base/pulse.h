// What a thread lets others see of itself: whether it still takes up work, and whether its work succeeds.
#pragma once

#include <atomic>

#include "base/time.h"

namespace vas {

// One who watches asks from time to time and wakes the thread; the thread confirms whenever it comes round.
// To confirm costs a load where nobody asked, so that it may be done between any two pieces of work.
//
// Threads: ask() and read() by one who watches; the rest by the thread itself. No lock.
class Pulse {
 public:
  enum class State { kWell, kFailing, kStuck };
  struct Reading {
    State state = State::kWell;
    Time since{};  // kWell: not set
  };

  void ask(Time now) {
    if (!is_asked()) asked_at_.store(now.time_since_epoch().count(), std::memory_order_release);
  }
  bool is_asked() const { return asked_at_.load(std::memory_order_acquire) != kNot; }
  void confirm() {
    if (is_asked()) asked_at_.store(kNot, std::memory_order_release);
  }

  // The work that was tried last did not succeed, and is tried again; or it did.
  void fail(Time now) {
    if (!is_failing()) failing_since_.store(now.time_since_epoch().count(), std::memory_order_release);
  }
  void succeed() {
    if (is_failing()) failing_since_.store(kNot, std::memory_order_release);
  }
  bool is_failing() const { return failing_since_.load(std::memory_order_acquire) != kNot; }

  // `patience`: how old a question that is not confirmed may be.
  Reading read(Time now, Duration patience) const {
    const Time asked_at{Duration(asked_at_.load(std::memory_order_acquire))};
    if (asked_at != Time(Duration(kNot)) && now - asked_at >= patience) return {State::kStuck, asked_at};
    const Duration::rep failing_since = failing_since_.load(std::memory_order_acquire);
    if (failing_since != kNot) return {State::kFailing, Time(Duration(failing_since))};
    return {};
  }

 private:
  static constexpr Duration::rep kNot = Duration::min().count();
  std::atomic<Duration::rep> asked_at_{kNot};
  std::atomic<Duration::rep> failing_since_{kNot};
};

}  // namespace vas
