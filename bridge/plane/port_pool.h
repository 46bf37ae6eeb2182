// RTP ports of the configured range, lent in pairs and returned.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/thread_check.h"
#include "base/time.h"

namespace vas::bridge {

// Lends even ports; the odd one above is RTCP's (RFC 3550 §11). The whole range is used in turn, and the port
// that was returned first is lent first, after a rest at least:
// late packets of one call do not reach the next.
//
// Threads: control only.   Bounds: the range; nothing is lent when all are out or resting.
class PortPool {
 public:
  // Longer than a late packet of the last call is under way.
  static constexpr Duration kRest = std::chrono::milliseconds(500);

  // Inclusive; an odd `first` is rounded up. `begin`, any number, says where in the range the first turn
  // begins: drawn at random, a process does not lend what the calls of the one before still send to.
  PortPool(std::uint16_t first, std::uint16_t last, std::uint32_t begin = 0);

  std::optional<std::uint16_t> lend(Time now);
  void give_back(std::uint16_t port, Time now);
  std::size_t free_count() const { return free_.size(); }

 private:
  struct Free {
    std::uint16_t port = 0;
    Time rests_until{};
  };
  std::deque<Free> free_;
  ThreadCheck thread_check_{"PortPool"};
};

}  // namespace vas::bridge
