// How many of something there may be a second, twice as many at once, kept in one number: when the budget is
// whole again. (GCRA, ITU-T I.371)
#pragma once

#include <algorithm>

#include "vas/base/time.h"

namespace vas::signaling {

// Takes one from the budget that is whole at `whole_at`; false, and nothing taken, when it is used up.
inline bool take_from_budget(Time& whole_at, double per_second, Time now) {
  const auto interval = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 / per_second));
  const Time next = std::max(whole_at, now) + interval;
  if (next - now > std::chrono::seconds(2)) return false;
  whole_at = next;
  return true;
}

}  // namespace vas::signaling
