// What was seen within the last while, by hash: retransmissions, and calls that were let in.
#pragma once

#include <functional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/thread_check.h"
#include "base/time.h"

namespace vas::signaling {

// Threads: one.
// Bounds:  kMaxRemembered in each of two generations; over it the older one is forgotten early.
class RecentSet {
 public:
  static constexpr std::size_t kMaxRemembered = 65536;
  static constexpr Duration kMemory = std::chrono::seconds(32);  // 64 T1: RFC 3261 §17; at most twice that

  void add(std::string_view text, Time now) {
    thread_check_.check();
    if (is_to_turn(now)) {
      older_ = std::exchange(newer_, {});
      turned_at_ = now;
    }
    const std::size_t key = key_of(text);
    std::uint32_t& count = newer_[key];
    if (count == 0) count = count_in(older_, key);
    ++count;
  }
  // How often `text` was added, as far as add() at `now` would remember.
  std::uint32_t times_added(std::string_view text, Time now) const {
    thread_check_.check();
    const std::size_t key = key_of(text);
    const std::uint32_t count = count_in(newer_, key);
    return count != 0 || is_to_turn(now) ? count : count_in(older_, key);
  }
  bool contains(std::string_view text) const {
    thread_check_.check();
    const std::size_t key = key_of(text);
    return newer_.contains(key) || older_.contains(key);
  }

 private:
  using Counts = std::unordered_map<std::size_t, std::uint32_t>;

  static std::size_t key_of(std::string_view text) { return std::hash<std::string_view>{}(text); }
  static std::uint32_t count_in(const Counts& counts, std::size_t key) {
    const auto found = counts.find(key);
    return found == counts.end() ? 0 : found->second;
  }
  bool is_to_turn(Time now) const { return now - turned_at_ >= kMemory || newer_.size() >= kMaxRemembered; }

  Counts newer_;
  Counts older_;
  Time turned_at_{};
  ThreadCheck thread_check_{"RecentSet"};
};

}  // namespace vas::signaling
