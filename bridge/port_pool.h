// RTP ports of the configured range, lent in pairs and returned.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "vas/base/time.h"

namespace vas::bridge {

// Lends even ports; the odd one above is RTCP's (RFC 3550 §11). A returned port rests before it is lent
// again, so that late packets of one call do not reach the next.
//
// Threads: control only.   Bounds: the range; nothing is lent when all are out or resting.
class PortPool {
 public:
  static constexpr Duration kRest = std::chrono::milliseconds(500);

  // Inclusive; an odd `first` is rounded up.
  PortPool(std::uint16_t first, std::uint16_t last);

  std::optional<std::uint16_t> lend(Time now);
  void take_back(std::uint16_t port, Time now);
  std::size_t free_count() const { return free_.size(); }

 private:
  struct Free {
    std::uint16_t port = 0;
    Time rests_until{};
  };
  std::deque<Free> free_;
};

}  // namespace vas::bridge
