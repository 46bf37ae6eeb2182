// How many requests a domain may make.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "vas/base/thread_check.h"
#include "vas/base/time.h"

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

  RateTurn take(std::int64_t domain_id, int per_second, Time now) {
    thread_check_.check();
    const double most = double{kBurst} * per_second;
    const auto [found, is_new] = buckets_.try_emplace(domain_id, Bucket{most, now});
    Bucket& bucket = found->second;
    const double seconds = std::chrono::duration<double>(now - bucket.filled_at).count();
    bucket.tokens = std::min(most, bucket.tokens + seconds * per_second);
    bucket.filled_at = now;
    const auto time_for = [per_second](double tokens) {
      return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(tokens / per_second));
    };
    RateTurn turn;
    if (bucket.tokens < 1) {
      turn.wait = time_for(1 - bucket.tokens);
    } else {
      bucket.tokens -= 1;
    }
    turn.left = static_cast<std::int64_t>(bucket.tokens);
    turn.full_in = time_for(most - bucket.tokens);
    return turn;
  }

 private:
  struct Bucket {
    double tokens;
    Time filled_at;
  };
  std::unordered_map<std::int64_t, Bucket> buckets_;
  ThreadCheck thread_check_{"RateLimit"};
};

}  // namespace vas::api
