// Who has how many calls, and who begins them how fast: the shares of tenants, domains and trunks.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "base/thread_check.h"
#include "base/time.h"
#include "base/token_bucket.h"

namespace vas::calls {

// A call is held by all that it counts against, or by none of them. Rates are token buckets: twice as many as
// a second's at once.
//
// Pure: the time comes in. Threads: control only.
// Bounds:  as many entries as holders with calls, and kMaxIdle of others, whose buckets are full again when
//          they are forgotten.
class CallQuota {
 public:
  static constexpr std::size_t kMaxIdle = 4096;

  enum class Kind : std::uint8_t { kTenant, kDomain, kTrunk };
  struct Holder {
    Kind kind = Kind::kDomain;
    std::int64_t id = 0;
    std::int64_t most_calls = 0;  // 0: any number
    std::int64_t per_second = 0;  // 0: at any rate
  };
  enum class Verdict : std::uint8_t { kGranted, kTooMany, kTooFast };
  struct Outcome {
    Verdict verdict = Verdict::kGranted;
    Kind kind = Kind::kDomain;  // whose share is used up
  };

  Outcome claim(std::span<const Holder> holders, Time now);
  void give_back(std::span<const Holder> holders);

  // For tests.
  std::size_t calls_of(Kind kind, std::int64_t id) const;
  // Those that have calls, of one kind, most first, no more than `most`.
  std::vector<std::pair<std::int64_t, std::size_t>> busiest(Kind kind, std::size_t most) const;
  std::size_t size() const { return entries_.size(); }

 private:
  struct Key {
    Kind kind = Kind::kDomain;
    std::int64_t id = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Entry {
    std::size_t calls = 0;
    TokenBucket rate;
  };
  static Verdict judge(const Holder& holder, const Entry& entry, Time now);
  void forget_idle(Time now);

  std::map<Key, Entry> entries_;
  ThreadCheck thread_check_{"CallQuota"};
};

// What one of several may have of `capacity` calls: three quarters, so that it never has all. A node that
// carries few is not divided, nor is one that knows nobody else. 0 stays 0: any number.
std::int64_t share_of_calls(std::int64_t capacity, bool is_alone);

}  // namespace vas::calls
