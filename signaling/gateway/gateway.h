// The subscriber gateway: the only part that faces the network with SIP. Sockets, framing, checks, limits,
// names, edits; what it lets through is clean. (docs/signaling.md)
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address_policy.h"
#include "base/endpoint.h"
#include "base/pulse.h"
#include "base/result.h"
#include "signaling/gateway/policy/gateway_config.h"
#include "signaling/gateway/policy/listener_table.h"
#include "signaling/gateway/policy/live_dialogs.h"
#include "signaling/gateway/policy/source_ledger.h"
#include "signaling/gateway/policy/transports_config.h"
#include "signaling/gateway/trace/message_trace.h"
#include "signaling/sip/flow.h"

namespace vas::signaling {

// Read by any thread, written by the gateway's own.
struct GatewayCounters {
  std::atomic<std::uint64_t> received{0};
  std::atomic<std::uint64_t> refused{0};     // responded to statelessly: 400, 416, 483, 505, 513
  std::atomic<std::uint64_t> dropped{0};     // not SIP, or nothing to respond to
  std::atomic<std::uint64_t> bad_tokens{0};  // got 403: no such session, or no right to call without one
  std::atomic<std::uint64_t> limited{0};     // over the source's budget
  std::atomic<std::uint64_t> banned{0};      // dropped because its source is banned
  std::atomic<std::uint64_t> no_dialog{0};   // said to be in a dialog that is not here
  std::atomic<std::uint64_t> unproved{0};    // would have moved a dialog, or repeated a message, unproved
  std::atomic<std::uint64_t> shed{0};        // new INVITEs that got 503 under overload
  std::atomic<std::uint64_t> forwarded{0};   // to or for another node
  std::atomic<std::uint64_t> no_next_hop{0};
  std::atomic<std::uint64_t> refused_hops{0};  // of these: to where nobody may have us send
  std::atomic<std::uint64_t> connections{0};   // open now
  std::atomic<std::uint64_t> handshakes{0};    // of TLS and WebSockets, as those below: streams.h
  std::atomic<std::uint64_t> handshakes_refused{0};
  std::atomic<std::uint64_t> handshakes_failed{0};
  std::atomic<std::uint64_t> queue_age_us{0};  // what a new call waits at present, of the slowest stack
};

// Owns its thread from start() on. The SIP stacks behind it listen on loopback alone and talk
// to this gateway alone.
//
// Threads: construct, start and stop from one thread; the rest from any. What takes a callback runs it on the
//          gateway's thread.
// Bounds:  connections, bytes queued on each, message size, requests by source, messages kept.
class Gateway {
 public:
  // Binds all sockets; fails naming the address that could not be had.
  static Result<std::unique_ptr<Gateway>> open(const GatewayConfig& config);
  virtual ~Gateway() = default;

  virtual const Endpoint& loopback() const = 0;  // where the stacks send to
  virtual void start(const std::vector<Endpoint>& stacks) = 0;
  virtual void stop() = 0;

  // What our Contact says to a peer of this flow.
  virtual Endpoint contact_endpoint(const Flow& flow) const = 0;
  virtual const ListenerTable& listeners() const = 0;
  // What a dialog puts first among its routes to stay on `flow`; `may_leave`: to go on by its other routes
  // and its target when that connection is gone.
  virtual std::string flow_route(const Flow& flow, bool may_leave) const = 0;
  // And where the first of the others is a strict router's (RFC 3261 §12.2.1.1).
  virtual std::string own_route() const = 0;
  // What a dialog puts first among its routes where its next hop may be in a private range; and whether, with
  // it or without, its requests may go there at all.
  virtual std::string private_route() const = 0;
  virtual bool may_send_to(const Flow& hop, AddressPolicy::PrivateRanges ranges) const = 0;
  virtual std::optional<Flow> verify_flow(std::string_view token) const = 0;
  virtual const GatewayCounters& counters() const = 0;
  // The stacks say in it which dialogs there are: what it does not know gets no further than here.
  virtual LiveDialogs& dialogs() = 0;

  // Call control, when a probe has come through to it (stack_link.h).
  virtual void confirm_probe(std::uint64_t number) = 0;

  virtual void ask(Time now) = 0;  // see pulse.h
  virtual const Pulse& pulse() const = 0;

  virtual void list_bans(std::function<void(const std::vector<Ban>&, Time now)> done) = 0;
  virtual void lift_ban(const IpAddress& source, std::function<void(bool was_banned)> done) = 0;
  virtual void trace(const std::string& token,
                     std::function<void(const std::vector<TracedMessage>&)> done) = 0;
};

// Which of `stacks` has the dialogs of this Call-ID.
std::size_t stack_of_call(std::string_view call_id, std::size_t stacks);

}  // namespace vas::signaling
