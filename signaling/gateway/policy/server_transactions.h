// What the gateway remembers of the requests that it let through. (RFC 3261 §8.2.2.2, §17.2.3, §18.2.2)
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/thread_check.h"
#include "signaling/gateway/policy/recent_map.h"
#include "signaling/gateway/policy/recent_set.h"
#include "signaling/sip/flow.h"
#include "signaling/sip/sip_message.h"

namespace vas::signaling {

// A transaction is its branch (ViaEditor::branch_of), wherever its messages come from: a client whose NAT
// binds another port, or that connects anew, repeats, cancels and acknowledges from there. Its responses then
// follow. A request that has the branch of none, but is a copy of one by its From tag, Call-ID and CSeq, came
// over another path.
//
// Threads: the gateway's.
// Bounds:  recent_set.h; kMaxMoved clients that moved, in each of two generations.
class ServerTransactions {
 public:
  static constexpr std::size_t kMaxMoved = 8192;
  static constexpr Duration kMovedMemory = std::chrono::minutes(5);  // an INVITE may ring so long

  // A request that goes on to the stack.
  void remember(const SipMessage& request, const std::string& branch, const Flow& source, Time now) {
    thread_check_.check();
    if (request.method() == "ACK") return;
    const bool is_cancel = request.method() == "CANCEL";
    const std::string key = key_of(request, branch);
    if (is_cancel || seen_.times_added(key, now) != 0) moved_.remember(branch, source, now);
    if (is_cancel) return;
    seen_.add(key, now);
    seen_.add(copy_of(request), now);
  }
  // Where the responses of a transaction go, if not where its first request came from.
  std::optional<Flow> flow_of(std::string_view branch) const { return moved_.find(branch); }
  // Whether `request` is a copy of one that was let through, under a branch of its own (RFC 3261 §8.2.2.2).
  bool is_merged(const SipMessage& request, const std::string& branch) const {
    return !seen_.contains(key_of(request, branch)) && seen_.contains(copy_of(request));
  }

 private:
  static std::string key_of(const SipMessage& request, const std::string& branch) {
    return std::string(request.method()) + "|" + branch;
  }
  static std::string copy_of(const SipMessage& request) {
    std::string key = "copy|";
    key += from_tag(request).value_or(std::string_view());
    key += '|';
    key += value_of(request, HeaderName::kCallId);
    key += '|';
    key += value_of(request, HeaderName::kCseq);
    return key;
  }

  RecentSet seen_;
  RecentMap<Flow> moved_{kMaxMoved, kMovedMemory};
  ThreadCheck thread_check_{"ServerTransactions"};
};

}  // namespace vas::signaling
