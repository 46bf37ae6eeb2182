// What clients without proof have done: how often they were wrong, and how much they asked for without a key.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

#include "base/source_block.h"
#include "base/thread_check.h"
#include "base/time.h"
#include "base/token_bucket.h"

namespace vas::api {

// Wrong keys and wrong poll tokens are counted by address (IPv6: by /64), and so are requests that need no
// key. Who is right is never slowed: a key that has worked from an address goes on working from there,
// whatever its neighbours try.
//
// Pure: the time comes in. Threads: control only.
// Bounds:  kMaxClients addresses and kMaxKnown pairs of address and key; what was quiet longest is forgotten.
class ClientLedger {
 public:
  // As many as the gateway remembers of its sources; a /64 counts as one.
  static constexpr std::size_t kMaxClients = 16'384;
  static constexpr std::size_t kMaxKnown = 16'384;
  // Somebody who mistypes, or a deployment with a stale key, before it looks like guessing.
  static constexpr int kFailuresAtOnce = 20;

  struct Limits {
    int failures_per_minute = 10;  // after kFailuresAtOnce at once; 0: no limit
    int keyless_per_second = 50;   // twice as many at once; 0: no limit
  };
  explicit ClientLedger(const Limits& limits) : limits_(limits) {}

  // False where the address was wrong too often: then a key that is not known from there is not looked at.
  bool may_try(const IpAddress& client, Time now);
  void count_failure(const IpAddress& client, Time now);
  // False where it asked too much without a key.
  bool accepts_keyless(const IpAddress& client, Time now);

  bool knows(const IpAddress& client, std::int64_t key_id);
  void learn(const IpAddress& client, std::int64_t key_id);
  std::size_t size() const { return clients_.size(); }

 private:
  struct Client {
    IpAddress block;
    TokenBucket failures;
    TokenBucket keyless;
  };
  struct Known {
    IpAddress block;
    std::int64_t key_id = 0;
    friend bool operator==(const Known&, const Known&) = default;
  };
  struct KnownHash {
    std::size_t operator()(const Known& known) const {
      return IpAddressHash()(known.block) ^ std::hash<std::int64_t>()(known.key_id);
    }
  };
  Client& touch(const IpAddress& address);
  TokenRate rate_of_failures() const { return {limits_.failures_per_minute / 60.0, kFailuresAtOnce}; }

  const Limits limits_;
  std::list<Client> clients_;  // last used first
  std::unordered_map<IpAddress, std::list<Client>::iterator, IpAddressHash> by_block_;
  std::list<Known> known_;  // last used first
  std::unordered_map<Known, std::list<Known>::iterator, KnownHash> known_index_;
  ThreadCheck thread_check_{"ClientLedger"};
};

}  // namespace vas::api
