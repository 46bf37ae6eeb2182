// How many requests a domain may make.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "vas/base/time.h"

namespace vas::api {

// A token bucket a domain: `per_second` on average, twice as many at once.
//
// Threads: control only. Bounds: as many buckets as domains that exist.
class RateLimit {
 public:
  // Nothing: go on. Otherwise how long to wait for the next.
  std::optional<Duration> take(std::int64_t domain_id, int per_second, Time now) {
    const double most = 2.0 * per_second;
    const auto [found, is_new] = buckets_.try_emplace(domain_id, Bucket{most, now});
    Bucket& bucket = found->second;
    const double seconds = std::chrono::duration<double>(now - bucket.filled_at).count();
    bucket.tokens = std::min(most, bucket.tokens + seconds * per_second);
    bucket.filled_at = now;
    if (bucket.tokens < 1) {
      return std::chrono::duration_cast<Duration>(
          std::chrono::duration<double>((1 - bucket.tokens) / per_second));
    }
    bucket.tokens -= 1;
    return {};
  }

 private:
  struct Bucket {
    double tokens;
    Time filled_at;
  };
  std::unordered_map<std::int64_t, Bucket> buckets_;
};

}  // namespace vas::api
