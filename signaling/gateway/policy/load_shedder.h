// How much of what is new is turned away when the way through the server has become long. (RFC 6357 §5)
#pragma once

#include "base/random.h"
#include "base/thread_check.h"
#include "base/time.h"

namespace vas::signaling {

// From `kLightAge` on some new INVITEs are refused, more the older the queue, from `kHeavyAge` on all. What
// is in a dialog is not asked here: finishing calls is what makes room.
//
// Threads: one.
class LoadShedder {
 public:
  // Two probes' worth of waiting (stack_link.cc): less is a thread that was not scheduled at once.
  static constexpr Duration kLightAge = std::chrono::milliseconds(40);
  // Still well within T1 (500 ms): who is let in has a response before it repeats its INVITE.
  static constexpr Duration kHeavyAge = std::chrono::milliseconds(140);
  // Seconds; spread over ten, so that they do not all come back at once.
  static constexpr std::uint32_t kRetryFrom = 5;
  static constexpr std::uint32_t kRetryTo = 15;

  bool sheds(Duration age) {
    thread_check_.check();
    if (age <= kLightAge) return false;
    const double excess = std::chrono::duration<double>(age - kLightAge) / (kHeavyAge - kLightAge);
    return static_cast<double>(random_u32()) < excess * 4294967296.0;
  }
  std::uint32_t retry_after_s() const { return kRetryFrom + random_u32() % (kRetryTo - kRetryFrom + 1); }
  ThreadCheck thread_check_{"LoadShedder"};
};

}  // namespace vas::signaling
