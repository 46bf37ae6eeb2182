#include "bridge/plane/port_pool.h"

#include <algorithm>

namespace vas::bridge {

PortPool::PortPool(std::uint16_t first, std::uint16_t last, std::uint32_t begin) {
  for (std::uint32_t port = first + (first & 1u); port + 1 <= last; port += 2) {
    free_.push_back({static_cast<std::uint16_t>(port), Time::min()});
  }
  if (!free_.empty())
    std::rotate(free_.begin(), free_.begin() + static_cast<std::ptrdiff_t>(begin % free_.size()),
                free_.end());
}

std::optional<std::uint16_t> PortPool::lend(Time now) {
  thread_check_.check();
  if (free_.empty() || free_.front().rests_until > now) return {};
  const std::uint16_t port = free_.front().port;
  free_.pop_front();
  return port;
}

void PortPool::give_back(std::uint16_t port, Time now) {
  thread_check_.check();
  free_.push_back({port, now + kRest});
}

}  // namespace vas::bridge
