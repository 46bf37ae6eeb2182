// The deadlines of one call. (spec: call-timeout, timeLimit, silence of a route)
#pragma once

#include <array>
#include <optional>

#include "vas/base/time.h"

namespace vas::calls {

inline constexpr Duration kRouteAnswerTimeout = std::chrono::seconds(4);     // no answer to the INVITE at all
inline constexpr Duration kRouteProgressTimeout = std::chrono::seconds(10);  // 100, and then nothing
inline constexpr Duration kRingTimeout =
    std::chrono::seconds(180);  // 18x and no answer: Timer C, RFC 3261 §16.6

enum class CallTimer : std::uint8_t { kRoute, kRing, kCallTimeout, kTimeLimit };

class CallTimers {
 public:
  void set(CallTimer timer, Time at) { at_[static_cast<std::size_t>(timer)] = at; }
  void clear(CallTimer timer) { set(timer, kNever); }
  void clear_all() { at_.fill(kNever); }
  Time next() const;
  // The earliest that is due, cleared; nothing when none is.
  std::optional<CallTimer> take_due(Time now);

 private:
  static constexpr std::size_t kTimers = 4;
  std::array<Time, kTimers> at_{kNever, kNever, kNever, kNever};
};

}  // namespace vas::calls
