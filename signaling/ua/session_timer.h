// When a dialog must be refreshed, and when it is dead. (RFC 4028)
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/thread_check.h"
#include "base/time.h"

namespace vas::signaling {

inline constexpr std::uint32_t kMinSessionExpires = 90;  // RFC 4028 §5

// Threads: its dialog's. Time is handed in.
class SessionTimer {
 public:
  // A 2xx settled `interval_s`; `we_refresh` says whose task it is. 0 stops the timer.
  void restart(Time now, std::uint32_t interval_s, bool we_refresh) {
    thread_check_.check();
    interval_s_ = interval_s;
    we_refresh_ = we_refresh;
    const Duration interval = std::chrono::seconds(interval_s);
    // The one who does not refresh gives up a third, at most 32 s, before the end (RFC 4028 §10).
    const Duration margin = std::min<Duration>(std::chrono::seconds(32), interval / 3);
    refresh_at_ = interval_s == 0 || !we_refresh ? kNever : now + interval / 2;
    expires_at_ = interval_s == 0 ? kNever : now + interval - (we_refresh ? Duration::zero() : margin);
    peer_gives_up_at_ = now + interval - margin;
    refusals_ = 0;
  }

  // Our refresh was refused, or has to wait: it is due again after `at_least`, each time later, but in any
  // case while the peer still listens.
  void retry(Time now, Duration at_least) {
    thread_check_.check();
    const Duration wait =
        std::max<Duration>(kFirstRetry * (1 << std::min(refusals_++, kDoublings)), at_least);
    refresh_at_ = now + std::min(wait, std::max<Duration>(kFirstRetry, (peer_gives_up_at_ - now) / 2));
  }

  // True once when a refresh is due.
  bool claim_refresh(Time now) {
    thread_check_.check();
    if (now < refresh_at_) return false;
    refresh_at_ = kNever;
    return true;
  }
  bool is_expired(Time now) const { return now >= expires_at_; }
  std::uint32_t interval_s() const { return interval_s_; }
  bool we_refresh() const { return we_refresh_; }

 private:
  // 2, 4, 8, 16 and 32 s: a peer that is busy for a moment loses no session.
  static constexpr std::chrono::seconds kFirstRetry{2};
  static constexpr int kDoublings = 4;

  std::uint32_t interval_s_ = 0;
  bool we_refresh_ = false;
  Time refresh_at_ = kNever;
  Time expires_at_ = kNever;
  Time peer_gives_up_at_ = kNever;
  int refusals_ = 0;  // since the last 2xx
  ThreadCheck thread_check_{"SessionTimer"};
};

}  // namespace vas::signaling
