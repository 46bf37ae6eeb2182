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

  // Adds `text`; how often it was added before.
  std::uint32_t add(std::string_view text, Time now) {
    thread_check_.check();
    turn(now);
    const std::size_t key = std::hash<std::string_view>{}(text);
    const auto old = older_.find(key);
    std::uint32_t& count = newer_[key];
    if (old != older_.end() && count == 0) count = old->second;
    return count++;
  }
  bool contains(std::string_view text) const {
    thread_check_.check();
    const std::size_t key = std::hash<std::string_view>{}(text);
    return newer_.contains(key) || older_.contains(key);
  }

 private:
  void turn(Time now) {
    if (now - turned_at_ < kMemory && newer_.size() < kMaxRemembered) return;
    older_ = std::exchange(newer_, {});
    turned_at_ = now;
  }

  std::unordered_map<std::size_t, std::uint32_t> newer_;
  std::unordered_map<std::size_t, std::uint32_t> older_;
  Time turned_at_{};
  ThreadCheck thread_check_{"RecentSet"};
};

}  // namespace vas::signaling
