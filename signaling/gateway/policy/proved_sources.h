// Who has shown lately that what we send to an address arrives there: a source of UDP can be made up.
#pragma once

#include <functional>
#include <string>
#include <unordered_set>
#include <utility>

#include "base/random.h"
#include "base/thread_check.h"
#include "base/time.h"
#include "signaling/sip/flow.h"

namespace vas::signaling {

// An endpoint is proved when it sent back what only the receiver of a packet of ours could know: the branch
// of a request that went there, or our tag from a dialog whose messages go there.
//
// Threads: one.
// Bounds:  kMaxRemembered in each of two generations; over it the older one is forgotten early, and with it
//          nothing but the right to be sent a message more than a few times.
class ProvedSources {
 public:
  static constexpr std::size_t kMaxRemembered = 16384;
  static constexpr Duration kMemory = std::chrono::hours(1);  // at most twice that

  void remember(const Endpoint& source, Time now) {
    thread_check_.check();
    if (now - turned_at_ >= kMemory || newer_.size() + 2 > kMaxRemembered) {
      older_ = std::exchange(newer_, {});
      turned_at_ = now;
    }
    newer_.insert(key_of(to_string(source)));
    newer_.insert(key_of(to_string(source.address)));
  }
  bool knows(const Endpoint& source) const { return contains(key_of(to_string(source))); }
  bool knows(const IpAddress& source) const { return contains(key_of(to_string(source))); }  // at any port

 private:
  std::size_t key_of(const std::string& text) const { return std::hash<std::string>{}(secret_ + text); }
  bool contains(std::size_t key) const { return newer_.contains(key) || older_.contains(key); }

  const std::string secret_ = random_hex(8);
  std::unordered_set<std::size_t> newer_;
  std::unordered_set<std::size_t> older_;
  Time turned_at_{};
  ThreadCheck thread_check_{"ProvedSources"};
};

}  // namespace vas::signaling
