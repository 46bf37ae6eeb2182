// The last messages of every call, for whoever asks why it failed. (docs/signaling.md, "Tracing")
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/endpoint.h"
#include "base/thread_check.h"
#include "base/time.h"
#include "signaling/sip/flow.h"

namespace vas::signaling {

struct TracedMessage {
  WallTime at{};
  Transport transport = Transport::kUdp;
  Endpoint from;
  Endpoint to;
  std::string text;
};

// Threads: the gateway's.
// Bounds:  `max_bytes` of messages; the oldest go, whichever call they are of.
class MessageTrace {
 public:
  explicit MessageTrace(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  bool is_on() const { return max_bytes_ != 0; }
  void keep(TracedMessage message, std::string_view call_id);
  // From now on, and for what is kept already, the dialog belongs to the session.
  void link(std::string_view token, std::string_view call_id);

  // Without secrets, in the order of time, over all dialogs of the session; `token` may be the beginning of
  // one, if of only one.
  std::vector<TracedMessage> of(std::string_view token) const;
  std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    TracedMessage message;
    std::string call_id;
  };
  struct Dialog {
    std::deque<std::uint64_t> entries;  // their numbers
    std::string token;                  // empty: not linked
  };

  static std::size_t cost_of(const Entry& entry) { return entry.message.text.size() + 256; }
  void forget_oldest();

  const std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::deque<Entry> ring_;
  std::uint64_t first_ = 0;                          // number of ring_.front()
  std::unordered_map<std::string, Dialog> dialogs_;  // by Call-ID
  std::map<std::string, std::set<std::string>, std::less<>> by_token_;
  ThreadCheck thread_check_{"MessageTrace"};
};

}  // namespace vas::signaling
