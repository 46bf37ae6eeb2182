// How many requests a domain may make.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "base/thread_check.h"
#include "base/time.h"
#include "base/token_bucket.h"

namespace vas::api {

// What became of a request that asked for its place.
struct RateTurn {
  std::optional<Duration> wait;  // nothing: go on. Otherwise how long to wait for the next
  std::int64_t left = 0;         // requests that would be let through now
  Duration full_in{};            // until it is as many as ever
};

// A token bucket a domain: `per_second` on average, twice as many at once.
//
// Threads: control only. Bounds: as many buckets as domains that exist.
class RateLimit {
 public:
  static constexpr int kBurst = 2;  // seconds' worth

  RateTurn draw(std::int64_t domain_id, int per_second, Time now) {
    thread_check_.check();
    const TokenRate rate{static_cast<double>(per_second), double{kBurst} * per_second};
    TokenBucket& bucket = buckets_[domain_id];
    RateTurn turn;
    if (!bucket.draw(rate, now)) turn.wait = bucket.wait(rate, now);
    turn.left = bucket.tokens(rate, now);
    turn.full_in = bucket.full_in(now);
    return turn;
  }

 private:
  std::unordered_map<std::int64_t, TokenBucket> buckets_;
  ThreadCheck thread_check_{"RateLimit"};
};

}  // namespace vas::api
