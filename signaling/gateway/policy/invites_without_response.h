// INVITEs of ours over UDP that have no response yet: what an ICMP error may end. (RFC 3261 §18.4)
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/thread_check.h"
#include "base/time.h"

namespace vas::signaling {

// By the branch that went out. It carries a keyed hash over where it went, and whoever quotes it has seen the
// datagram: an error from elsewhere ends nothing.
//
// Threads: the gateway's.
// Bounds:  kMaxWaiting of kMaxBytesEach, the oldest goes; each for kMemory.
class InvitesWithoutResponse {
 public:
  static constexpr std::size_t kMaxWaiting = 1024;
  // An INVITE with SDP is a fraction of it.
  static constexpr std::size_t kMaxBytesEach = 8 * 1024;
  static constexpr Duration kMemory = std::chrono::seconds(32);  // 64 T1

  // `text`: as the stack gave it.
  void remember(std::string_view branch, std::string_view text, Time now) {
    thread_check_.check();
    if (text.size() > kMaxBytesEach) return;
    const auto [entry, is_new] = waiting_.try_emplace(std::string(branch), Entry{std::string(text), now});
    if (!is_new) return;
    order_.push_back(entry->first);
    if (order_.size() <= kMaxWaiting) return;
    waiting_.erase(order_.front());
    order_.pop_front();
  }
  // A response of any kind came.
  void forget(std::string_view branch) {
    thread_check_.check();
    const auto found = waiting_.find(std::string(branch));
    if (found != waiting_.end()) found->second.text.clear();
  }
  // What went under it; nothing once it had a response, or was taken.
  std::optional<std::string> pop(std::string_view branch, Time now) {
    thread_check_.check();
    const auto found = waiting_.find(std::string(branch));
    if (found == waiting_.end() || found->second.text.empty() || now - found->second.sent > kMemory)
      return {};
    return std::exchange(found->second.text, {});
  }

 private:
  struct Entry {
    std::string text;  // empty: done with; it keeps its place until it is the oldest
    Time sent;
  };

  std::unordered_map<std::string, Entry> waiting_;
  std::deque<std::string> order_;
  ThreadCheck thread_check_{"InvitesWithoutResponse"};
};

}  // namespace vas::signaling
