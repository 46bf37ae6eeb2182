// Which dialogs there are: what the gateway asks before it believes a To tag. (RFC 3261 §12)
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/thread_check.h"
#include "base/time.h"
#include "base/token_bucket.h"
#include "signaling/sip/flow.h"

namespace vas::signaling {

// A table of keyed hashes that the stacks write and the gateway reads. A dialog is there before its tag
// leaves us, and for kLinger after its end, so that what is repeated still finds its transaction. Beside each
// stands where its party is, and how many requests it may still send.
//
// Threads: add and end from any (they wait for each other); the rest from the gateway's, which never waits.
// Bounds:  `slots` of 32 bytes, half of them for what lives; add refuses beyond.
//          What has ended makes room first.
class LiveDialogs {
 public:
  enum class Key : std::uint64_t {};

  static constexpr std::size_t kSlots = 1 << 17;                 // 4 MiB, touched as they are used
  static constexpr Duration kLinger = std::chrono::seconds(40);  // more than 64 T1: RFC 3261 §17
  static constexpr std::uint32_t kRequestsPerSecond = 20;        // of one dialog; twice as many at once

  explicit LiveDialogs(std::size_t slots = kSlots);

  Key key_of(std::string_view call_id, std::string_view our_tag) const;
  // An INVITE that has no final response yet, by its branch (ViaEditor::branch_of): what a CANCEL goes after.
  Key key_of_invite(std::string_view branch) const;

  // ---- the stacks ----
  // `party`: where its messages come from; none where that is to be seen. False when there is no room.
  bool add(Key key, const Flow* party, Time now);
  void end(Key key, Time now);

  // ---- the gateway ----
  bool contains(Key key, Time now) const { return find(key, now) != nullptr; }
  bool is_full() const { return live_.load(std::memory_order_relaxed) >= max_live(); }
  // False when the dialog has used up its requests for now.
  bool accepts_request(Key key, Time now);
  // Whom the dialog knows at the other end. kUnknown: nobody yet.
  enum class Party { kUnknown, kOther, kSame, kProved };
  Party party(Key key, const Flow& source, Time now) const;
  // `source` is the party from now on; is_proved: it has shown that it gets what we send there.
  void set_party(Key key, const Flow& source, bool is_proved, Time now);

  std::size_t max_live() const { return buckets_ * kBucket / 2; }
  // For tests.
  std::size_t live() const { return live_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kBucket = 8;
  // In place of the time of its end.
  static constexpr Time::rep kLives = 0;

  struct Slot {
    std::atomic<std::uint64_t> key{0};      // 0: never used
    std::atomic<Time::rep> ends{kLives};    // when it is forgotten
    std::atomic<std::uint64_t> party{0};    // hash of transport and address, last bit: is proved; 0: unknown
    std::atomic<std::int64_t> requests{0};  // TokenBucket::state()
  };

  std::uint64_t hash(char kind, std::string_view first, std::string_view second) const;
  std::uint64_t hash_of(const Flow& flow) const;
  Slot* bucket(std::uint64_t key, int choice) const;
  Slot* find(Key key, Time now) const;
  Slot* at(std::uint64_t key) const;
  Slot* room_for(std::uint64_t key, Time now) const;

  const std::string secret_;
  const std::size_t buckets_;
  std::unique_ptr<Slot[]> slots_;
  std::atomic<std::size_t> live_{0};
  std::mutex writers_;
  ThreadCheck thread_check_{"LiveDialogs"};
};

}  // namespace vas::signaling
