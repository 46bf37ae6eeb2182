// The subscriber gateway: the only part that faces the network with SIP. Sockets, framing, checks, edits.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "signaling/gateway/flow.h"
#include "vas/base/endpoint.h"
#include "vas/base/result.h"

namespace vas::signaling {

struct GatewayConfig {
  std::vector<Endpoint> listen;         // each is served over UDP and TCP
  std::optional<IpAddress> advertised;  // what peers are told instead of the listening address (1:1 NAT)
  std::size_t max_connections = 2048;
};

// Read by any thread, written by the gateway's own.
struct GatewayCounters {
  std::atomic<std::uint64_t> received{0};
  std::atomic<std::uint64_t> refused{0};  // answered statelessly: 400, 483, 505
  std::atomic<std::uint64_t> dropped{0};  // not SIP, or nothing to answer
  std::atomic<std::uint64_t> no_next_hop{0};
};

// Owns its thread from start() on. The SIP stack below listens on loopback alone and talks to this gateway
// alone.
//
// Threads: construct, start and stop from one thread; counters, flow_route and contact_endpoint from any.
// Bounds:  connections, bytes queued on each, message size; a connection that breaks one is closed.
class Gateway {
 public:
  // Binds all sockets; fails naming the address that could not be had.
  static Result<std::unique_ptr<Gateway>> open(const GatewayConfig& config);
  virtual ~Gateway() = default;

  virtual const Endpoint& loopback() const = 0;  // where the stack sends to
  virtual void start(const Endpoint& stack) = 0;
  virtual void stop() = 0;

  // What our Contact says to a peer of this flow: the listening address of the peer's IP version.
  virtual Endpoint contact_endpoint(const Flow& flow) const = 0;
  // The bound address of each listener, with the port that was given for port 0.
  virtual const std::vector<Endpoint>& listening() const = 0;
  virtual std::string flow_route(const Flow& flow) const = 0;
  virtual std::optional<Flow> verify_flow(std::string_view token) const = 0;
  virtual const GatewayCounters& counters() const = 0;
};

}  // namespace vas::signaling
