// The gateway's own addresses: what it listens at, what peers are told,
// and from which of them a message leaves.
#pragma once

#include <cstdint>
#include <vector>

#include "base/endpoint.h"
#include "signaling/sip/flow.h"

namespace vas::signaling {

struct Listener {
  Transport transport = Transport::kUdp;
  Endpoint local;       // as bound
  Endpoint advertised;  // what Via and Contact say; `local` unless there is 1:1 NAT before it
};

// Threads: filled before the gateway starts; then any.
class ListenerTable {
 public:
  void add(const Listener& listener) { all_.push_back(listener); }
  void remove_last() { all_.pop_back(); }

  // For what goes out over `transport` and no flow says which. Of the peer's IP version; loopback to
  // loopback where there is one, else the first. Flow::kAnyListener when nothing of the IP version is there.
  std::uint16_t choose(Transport transport, const IpAddress& peer) const;

  // What a peer of `flow` is told. The first listener's where none fits: the address is as good as any then.
  const Listener& of(const Flow& flow) const;

  const std::vector<Listener>& all() const { return all_; }

 private:
  std::vector<Listener> all_;
};

}  // namespace vas::signaling
