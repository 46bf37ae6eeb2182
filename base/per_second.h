// At most so many of something a second.
#pragma once

#include "base/time.h"

namespace vas {

// Counts in windows of a second that begin with what comes first.
class PerSecond {
 public:
  explicit PerSecond(int most) : most_(most) {}

  bool has_room(Time now) {
    if (now - window_start_ >= std::chrono::seconds(1)) {
      window_start_ = now;
      taken_ = 0;
    }
    return taken_ < most_;
  }
  // False when there is no room: then nothing is taken.
  bool draw(Time now) {
    if (!has_room(now)) return false;
    ++taken_;
    return true;
  }

 private:
  int most_;
  Time window_start_{};
  int taken_ = 0;
};

}  // namespace vas
