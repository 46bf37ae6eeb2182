// What was remembered within the last while, by a text's hash, with a value for each.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/thread_check.h"
#include "base/time.h"

namespace vas::signaling {

// Threads: one.
// Bounds:  `max_each` in each of two generations of `memory`; over it the older one is forgotten early.
template <typename Value>
class RecentMap {
 public:
  RecentMap(std::size_t max_each, Duration memory) : max_each_(max_each), memory_(memory) {}

  void remember(std::string_view text, Value value, Time now) {
    thread_check_.check();
    if (now - turned_at_ >= memory_ || newer_.size() >= max_each_) {
      older_ = std::exchange(newer_, {});
      turned_at_ = now;
    }
    newer_.insert_or_assign(key_of(text), std::move(value));
  }
  std::optional<Value> find(std::string_view text) const {
    thread_check_.check();
    const std::size_t key = key_of(text);
    if (const auto found = newer_.find(key); found != newer_.end()) return found->second;
    if (const auto found = older_.find(key); found != older_.end()) return found->second;
    return {};
  }

 private:
  static std::size_t key_of(std::string_view text) { return std::hash<std::string_view>{}(text); }

  const std::size_t max_each_;
  const Duration memory_;
  std::unordered_map<std::size_t, Value> newer_;
  std::unordered_map<std::size_t, Value> older_;
  Time turned_at_{};
  ThreadCheck thread_check_{"RecentMap"};
};

}  // namespace vas::signaling
