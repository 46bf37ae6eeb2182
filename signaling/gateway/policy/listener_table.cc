#include "signaling/gateway/policy/listener_table.h"

namespace vas::signaling {
namespace {

// Peers of a connection-oriented transport that nobody listens for still come back by the connection; what
// they are told is then the plain address.
int fitness(const Listener& listener, Transport transport, const IpAddress& peer) {
  if (listener.local.address.family != peer.family) return 0;
  const bool shares_loopback = listener.local.address.is_loopback() == peer.is_loopback();
  return 1 + (listener.transport == transport ? 2 : 0) + (shares_loopback ? 1 : 0);
}

}  // namespace

std::uint16_t ListenerTable::choose(Transport transport, const IpAddress& peer) const {
  std::uint16_t best = Flow::kAnyListener;
  int best_fitness = 0;
  for (std::size_t i = 0; i < all_.size(); ++i) {
    const int each = fitness(all_[i], transport, peer);
    if (each <= best_fitness) continue;
    best = static_cast<std::uint16_t>(i);
    best_fitness = each;
  }
  return best;
}

const Listener& ListenerTable::of(const Flow& flow) const {
  if (flow.listener < all_.size()) return all_[flow.listener];
  const std::uint16_t chosen = choose(flow.transport, flow.peer.address);
  return chosen < all_.size() ? all_[chosen] : all_.front();
}

}  // namespace vas::signaling
