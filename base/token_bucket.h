// How many of something there may be: a rate, and what a silence saves up.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace vas {

struct TokenRate {
  double per_second = 0;
  double at_once = 2 * per_second;  // what a full bucket holds
};

// A token bucket in one number: when it is full again. (GCRA, ITU-T I.371) A new one is full. Where packets
// are counted there is PerSecond, which divides nothing.
class TokenBucket {
 public:
  TokenBucket() = default;
  // As state() told it: for tables that keep it in an atomic.
  explicit TokenBucket(std::int64_t state) : full_at_(Nanoseconds(state)) {}
  std::int64_t state() const { return full_at_.time_since_epoch().count(); }

  bool has_token(const TokenRate& rate, Time now) const {
    return missing(now) + interval(rate) <= depth(rate);
  }
  // False when there is none: then nothing is taken.
  bool draw(const TokenRate& rate, Time now) {
    if (!has_token(rate, now)) return false;
    spend(rate, now);
    return true;
  }
  // Takes one, or what is left of one.
  void spend(const TokenRate& rate, Time now) {
    full_at_ = now + std::min(missing(now) + interval(rate), depth(rate));
  }

  std::int64_t tokens(const TokenRate& rate, Time now) const {
    return std::max(depth(rate) - missing(now), Nanoseconds(0)) / interval(rate);
  }
  // Until there is one.
  Duration wait(const TokenRate& rate, Time now) const {
    const Nanoseconds lacks = missing(now) + interval(rate) - depth(rate);
    return std::chrono::duration_cast<Duration>(std::max(lacks, Nanoseconds(0)));
  }
  Duration full_in(Time now) const { return std::chrono::duration_cast<Duration>(missing(now)); }
  bool is_full(Time now) const { return missing(now) == Nanoseconds(0); }

 private:
  // Finer than Time: at 400 000 a second a token takes two and a half of its ticks.
  using Nanoseconds = std::chrono::nanoseconds;

  // Nothing a second has a bucket that holds nothing, and is not divided by.
  static Nanoseconds interval(const TokenRate& rate) {
    constexpr double kSlowest = 1e-6;
    const auto exact = static_cast<Nanoseconds::rep>(1e9 / std::max(rate.per_second, kSlowest));
    return Nanoseconds(std::max<Nanoseconds::rep>(exact, 1));
  }
  static Nanoseconds depth(const TokenRate& rate) {
    return Nanoseconds(
        static_cast<Nanoseconds::rep>(static_cast<double>(interval(rate).count()) * rate.at_once));
  }
  Nanoseconds missing(Time now) const { return std::max(full_at_ - now, Nanoseconds(0)); }

  std::chrono::time_point<Monotonic, Nanoseconds> full_at_{};
};

}  // namespace vas
