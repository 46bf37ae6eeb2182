#include "vas/calls/call_timers.h"

#include <algorithm>

namespace vas::calls {

Time CallTimers::next() const { return *std::min_element(at_.begin(), at_.end()); }

std::optional<CallTimer> CallTimers::pop_due(Time now) {
  const auto earliest = std::min_element(at_.begin(), at_.end());
  if (*earliest > now) return {};
  *earliest = kNever;
  return static_cast<CallTimer>(earliest - at_.begin());
}

}  // namespace vas::calls
