// Decides which callback goes out when: in order within a session, again after a failure, and not at all for
// a while to an endpoint that hangs.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/shared_budget.h"
#include "base/thread_check.h"
#include "base/time.h"
#include "vas/webhooks/event.h"
#include "vas/webhooks/reply.h"

namespace vas::webhooks {

// Scheme, host and port of a URL: what a breaker watches over. `user:password@` is not part of it.
std::string endpoint_of(std::string_view url);

// What becomes of the event after a try.
enum class Fate {
  kDelivered,
  kTriedAgain,  // later: tries, next_try_at and last_error have changed
  kDead,        // given up: 24 h are over, the endpoint replied 410, or its address is forbidden
};

// Pure: time and chance come in, decisions go out. `Time` is monotonic, wall time is for what is stored.
//
// Threads: control only.
// Bounds:  keeps kMaxEvents, kMaxEventsOfDomain of one domain; add() refuses one more. Per endpoint at most
// kMaxAtOnce tries are under way; a new or
//          failing one begins with kAtOnceAtFirst.
class Outbox {
 public:
  // A few for each call: what tens of thousands have to tell while their backends are down.
  static constexpr std::size_t kMaxEvents = 100'000;
  // Half: one domain does not push out all others'.
  static constexpr std::size_t kMaxEventsOfDomain = 50'000;
  // One backend has as many at a time, however many calls tell it of something.
  static constexpr int kMaxAtOnce = 64;
  // A backend that hangs is found out with few connections.
  static constexpr int kAtOnceAtFirst = 4;
  static constexpr int kFailuresThatBreak = 5;                        // in a row: one or two are a restart
  static constexpr Duration kLongestTrying = std::chrono::hours(24);  // somebody has looked by then

  // False when it, or the domain's part of it, is full. `wait`: how long from now the first try is due; an
  // event restored with a try behind it keeps its delay.
  bool add(Event event, Time now, Duration wait = Duration::zero());

  // Those that are to be sent now; each is under way until replied() is told of it.
  // The pointer holds until then.
  std::vector<const Event*> pop_due(Time now);
  // `chance`: 0…1, spreads the retries. `event` gets the event as it stands now.
  Fate replied(const std::string& id, const Reply& reply, Time now, WallTime wall, double chance,
               Event& event);
  Time next_due() const { return due_.empty() ? kNever : due_.begin()->first; }

  std::size_t size() const { return events_.taken(); }
  std::size_t broken_endpoints() const;

 private:
  struct Queue {  // the events of one session; the front one is due, waits or is under way
    std::string endpoint;
    std::deque<Event> events;
    Time due{};
  };
  struct Endpoint {
    std::set<std::pair<Time, std::string>> waiting;  // queues, by when their front event is due
    int under_way = 0;
    int at_once = kAtOnceAtFirst;
    int failures = 0;     // in a row
    Time closed_until{};  // the breaker: no try before, and then one alone
    Time due = kNever;    // as it stands in due_
  };

  void offer(const std::string& token, Queue& queue, Time due);
  void schedule(const std::string& name, Endpoint& endpoint);
  void judge(Endpoint& endpoint, bool is_success, Time now);
  static int allowed(const Endpoint& endpoint) {
    return endpoint.failures >= kFailuresThatBreak ? 1 : endpoint.at_once;
  }
  void forget_if_idle(const std::string& name);

  std::unordered_map<std::string, Queue> queues_;  // by session
  std::unordered_map<std::string, Endpoint> endpoints_;
  std::unordered_map<std::string, std::string> under_way_;  // event id to session
  std::set<std::pair<Time, std::string>> due_;              // endpoints that have something to send, and when
  SharedBudget<std::int64_t> events_{kMaxEvents, kMaxEventsOfDomain};  // by domain
  ThreadCheck thread_check_{"Outbox"};
};

}  // namespace vas::webhooks
