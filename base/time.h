// Points in time and spans of it. The core is handed the time and reads no clock; clock.h is for the edge.
#pragma once

#include <chrono>

namespace vas {

using Duration = std::chrono::microseconds;

// Monotonic time. It has no now(): only the edge of the program reads a clock.
struct Monotonic {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Monotonic>;
  static constexpr bool is_steady = true;
};

using Time = Monotonic::time_point;

// UTC, for people and records; never for timers.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

inline constexpr Time kNever = Time::max();

}  // namespace vas
