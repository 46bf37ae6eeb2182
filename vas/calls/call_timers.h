// The deadlines of one call: call-timeout, timeLimit, the silence of a route and of a call on hold.
#pragma once

#include <array>
#include <optional>

#include "base/time.h"

namespace vas::calls {

inline constexpr Duration kRingTimeout =
    std::chrono::seconds(180);  // 18x and no final response: Timer C, RFC 3261 §16.6

inline constexpr Duration kHeardPatience = std::chrono::seconds(10);  // for what the media plane says

enum class CallTimer : std::uint8_t { kRoute, kRing, kCallTimeout, kTimeLimit, kBackend, kExpiry, kHold };

class CallTimers {
 public:
  CallTimers() { clear_all(); }
  void set(CallTimer timer, Time at) { at_[static_cast<std::size_t>(timer)] = at; }
  void clear(CallTimer timer) { set(timer, kNever); }
  void clear_all() { at_.fill(kNever); }
  Time next() const;
  // The earliest that is due, cleared; nothing when none is.
  std::optional<CallTimer> pop_due(Time now);

 private:
  static constexpr std::size_t kTimers = static_cast<std::size_t>(CallTimer::kHold) + 1;  // the last
  std::array<Time, kTimers> at_;
};

}  // namespace vas::calls
