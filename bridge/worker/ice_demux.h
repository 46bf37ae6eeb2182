// Whose a datagram is that came to a port which many legs with ICE share: a check says it by the ufrag that
// it names (RFC 8445 §7.3), everything else by an address that a check has proved.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/endpoint.h"
#include "base/thread_check.h"

namespace vas::bridge {

// It knows nothing of checks: who calls name() and hold() has seen the proof.
//
// Threads:  its media worker only.
// Lifetime: outlives its members; each is known by its ufrags and addresses until it is destroyed.
// Bounds:   two ufrags a member; as many addresses as its leg calls proved.
template <typename Leg>
class IceDemux {
 public:
  class Member {
   public:
    Member(IceDemux& demux, Leg leg) : demux_(demux), leg_(std::move(leg)) {}
    ~Member() { demux_.forget(*this); }
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    const Leg& leg() const { return leg_; }

    // `ufrag` is the member's from now on, beside the one that it had last: after a restart both are in use
    // (RFC 8445 §9). One that another member has stays that member's; they are random and long enough.
    void name(const std::string& ufrag) {
      demux_.thread_check_.check();
      if (!demux_.by_ufrag_.emplace(ufrag, this).second) return;
      if (ufrags_.size() == 2) {
        demux_.by_ufrag_.erase(ufrags_.front());
        ufrags_.erase(ufrags_.begin());
      }
      ufrags_.push_back(ufrag);
    }

    // What comes from `source` is the member's from now on, whosever it was. Addresses of its own that are
    // not `still_proved` are given up.
    template <typename Predicate>
    void hold(const Endpoint& source, Predicate&& still_proved) {
      demux_.thread_check_.check();
      Member*& holder = demux_.by_address_[source];
      if (holder == this) return;
      if (holder != nullptr) std::erase(holder->addresses_, source);
      holder = this;
      std::erase_if(addresses_, [&](const Endpoint& each) {
        if (still_proved(each)) return false;
        demux_.by_address_.erase(each);
        return true;
      });
      addresses_.push_back(source);
    }

   private:
    friend class IceDemux;
    IceDemux& demux_;
    const Leg leg_;
    std::vector<std::string> ufrags_;  // the newest last
    std::vector<Endpoint> addresses_;
  };

  std::unique_ptr<Member> join(Leg leg) {
    thread_check_.check();
    return std::make_unique<Member>(*this, std::move(leg));
  }

  Member* named(std::string_view ufrag) const {
    const auto found = by_ufrag_.find(ufrag);
    return found == by_ufrag_.end() ? nullptr : found->second;
  }
  Member* at(const Endpoint& source) const {
    const auto found = by_address_.find(source);
    return found == by_address_.end() ? nullptr : found->second;
  }

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  void forget(const Member& member) {
    for (const std::string& each : member.ufrags_) by_ufrag_.erase(each);
    for (const Endpoint& each : member.addresses_) by_address_.erase(each);
  }

  std::unordered_map<std::string, Member*, TextHash, std::equal_to<>> by_ufrag_;
  std::unordered_map<Endpoint, Member*, EndpointHash> by_address_;
  ThreadCheck thread_check_{"IceDemux"};
};

}  // namespace vas::bridge
