// A dialog's place among those that the gateway believes in, for as long as this is held.
#pragma once

#include "base/clock.h"
#include "base/thread_check.h"
#include "signaling/gateway/policy/live_dialogs.h"

namespace vas::signaling {

// Threads: the stack's. Lifetime: the set outlives it.
class LiveEntry {
 public:
  LiveEntry() = default;
  LiveEntry(const LiveEntry&) = delete;
  LiveEntry& operator=(const LiveEntry&) = delete;
  ~LiveEntry() { end(); }

  // False when there is no room for another.
  bool hold(LiveDialogs& dialogs, LiveDialogs::Key key, const Flow* party) {
    thread_check_.check();
    end();
    if (!dialogs.add(key, party, monotonic_now())) return false;
    dialogs_ = &dialogs;
    key_ = key;
    return true;
  }
  void reset() {
    thread_check_.check();
    end();
  }

 private:
  // The set takes it from any thread: who destroys the stacks is another.
  void end() {
    if (dialogs_ != nullptr) dialogs_->end(key_, monotonic_now());
    dialogs_ = nullptr;
  }

  LiveDialogs* dialogs_ = nullptr;  // none: nothing is held
  LiveDialogs::Key key_{};
  ThreadCheck thread_check_{"LiveEntry"};
};

}  // namespace vas::signaling
