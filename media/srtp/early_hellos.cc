#include "media/srtp/early_hellos.h"

#include <algorithm>
#include <utility>

namespace vas::media {

const std::vector<std::vector<std::uint8_t>>& EarlyHellos::on_datagram(const Endpoint& source,
                                                                       Bytes datagram) {
  thread_check_.check();
  flight_.clear();
  const auto hello = datagram.size() <= kMostBytes && may_be_handshake(datagram)
                         ? ClientHello::parse(datagram)
                         : std::nullopt;
  if (!hello || !hello->is_whole) return flight_;
  if (!cookies_.is_right(source, *hello)) {
    flight_.push_back(cookies_.request(source, *hello));
    return flight_;
  }
  std::erase_if(kept_, [&](const Hello& each) { return each.source == source; });
  if (kept_.size() == kMostKept) kept_.erase(kept_.begin());
  kept_.push_back({source, {datagram.begin(), datagram.end()}});
  return flight_;
}

std::optional<EarlyHellos::Hello> EarlyHellos::pop() {
  thread_check_.check();
  if (kept_.empty()) return {};
  Hello oldest = std::move(kept_.front());
  kept_.erase(kept_.begin());
  return oldest;
}

}  // namespace vas::media
