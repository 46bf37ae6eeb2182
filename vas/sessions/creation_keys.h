// Which request made which session, so that its repeat makes no other.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>

#include "base/shared_budget.h"
#include "base/thread_check.h"
#include "base/time.h"
#include "vas/sessions/session.h"

namespace vas::sessions {

// A key is known while its session lives, and kMemory after.
//
// Threads: control only.
// Bounds:  those of sessions that live, and kMaxEnded that are over, kMaxEndedOfDomain of one domain: its
// oldest is
//          forgotten; where others have filled the memory, the new one.
class CreationKeys {
 public:
  static constexpr std::size_t kMaxEnded = 100'000;
  // Half: one domain does not push out all others'.
  static constexpr std::size_t kMaxEndedOfDomain = 50'000;
  // Who repeats a request does so within a day.
  static constexpr auto kMemory = std::chrono::hours(24);

  struct Made {
    std::string request;
    std::string token;  // empty: its session is over
    WallTime ended_at{};
  };

  // Nothing happens for a session without a key.
  void add(const Session& session);
  void end(const Session& session);   // over at its modified_at
  void drop(const Session& session);  // it was not made after all

  // Null where no session is known that the key made.
  const Made* find(const std::string& key, WallTime now) const;
  void sweep(WallTime now);  // forgets what is remembered too long

 private:
  struct Ended {
    WallTime at{};
    std::string key;
  };
  using OfDomain = std::map<std::int64_t, std::deque<Ended>>;

  void forget_oldest(OfDomain::iterator domain);

  std::unordered_map<std::string, Made> made_;
  OfDomain ended_;
  SharedBudget<std::int64_t> room_{kMaxEnded, kMaxEndedOfDomain};
  ThreadCheck thread_check_{"CreationKeys"};
};

}  // namespace vas::sessions
