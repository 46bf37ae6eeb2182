// The edits that a message gets on its way through the gateway: no state, all that is needed rides in Via
// branches and signed flow tokens. (RFC 3261 §16.11, §18.2; RFC 3581)
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "signaling/gateway/flow.h"
#include "signaling/gateway/server_name.h"
#include "signaling/gateway/sip_message.h"
#include "vas/base/address_policy.h"

namespace vas::signaling {

// Where a message goes: a UDP address, or the connection (or a new one to the address) for TCP.
struct Outbound {
  Flow flow;
  std::string text;
};

enum class NoHop { kUnsupportedTransport, kMalformed };

// Threads: any, immutable.
class ViaEditor {
 public:
  // `gateway`: our end of the loopback. `stacks`: the other ends, where answers go back to.
  ViaEditor(const FlowSigner& signer, const Endpoint& gateway, std::vector<Endpoint> stacks = {})
      : signer_(signer), gateway_(gateway), stacks_(std::move(stacks)) {}

  // Peer -> stack. The request has passed the guard. received/rport go on its Via, ours on top, X-VAS-Source
  // is added and any that came from outside dropped.
  // `origin`: more private headers, whole lines.
  std::string request_to_stack(const SipMessage& request, const Flow& source,
                               std::string_view origin = {}) const;
  // The branch that it gets there: one for a request, its retransmissions, its CANCEL and its ACK.
  std::string branch_of(const SipMessage& request, const Flow& source) const;

  // Peer -> stack. Nothing when the top Via is none that this gateway wrote.
  struct Inbound {
    std::size_t stack = 0;
    std::string text;
    bool proves_source = false;  // it comes from where its request went
  };
  std::optional<Inbound> response_to_stack(const SipMessage& response, const Flow& source) const;

  // Stack -> peer. Nothing when the top Via is not ours.
  std::optional<Outbound> response_to_peer(const SipMessage& response) const;

  // Stack -> peer: where a request goes next, and its Via replaced by the public one.
  struct Hop {
    Flow flow;
    bool drops_route = false;  // the first Route is for us alone
    bool is_flow = false;      // it names a flow
    std::string host;          // as the URI says it: whom TLS must find there
  };
  std::variant<Hop, ServerName, NoHop> next_hop(const SipMessage& request) const;
  std::string request_to_peer(const SipMessage& request, const Hop& hop,
                              const Endpoint& public_endpoint) const;

  // Whether the request's next hop may be in a private range: its first Route is private_route().
  AddressPolicy::PrivateRanges ranges_of(const SipMessage& request) const;
  std::string private_route() const;

  // The URI that a dialog puts first among its routes to stay on `flow`.
  std::string flow_route(const Flow& flow) const;

 private:
  std::string bound_to(std::string_view branch, const Flow& way) const;
  std::optional<std::size_t> stack_at(const Via& via) const;
  bool is_private_mark(const SipUri& uri) const;

  const FlowSigner& signer_;
  const Endpoint gateway_;
  const std::vector<Endpoint> stacks_;
};

}  // namespace vas::signaling
