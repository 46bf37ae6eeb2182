// The edits that a message gets on its way through the gateway: no state, all that is needed rides in Via
// branches and signed flow tokens. (RFC 3261 §16.11, §18.2; RFC 3581)
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "signaling/gateway/flow.h"
#include "signaling/gateway/sip_message.h"

namespace vas::signaling {

// Where a message goes: a UDP address, or the connection (or a new one to the address) for TCP.
struct Outbound {
  Flow flow;
  std::string text;
};

enum class NoHop { kHostname, kUnsupportedTransport, kMalformed };

// Threads: any, immutable.
class ViaEditor {
 public:
  // `gateway`, `stack`: the two loopback ends. `public_endpoint`: what peers see, by transport the same here.
  ViaEditor(const FlowSigner& signer, const Endpoint& gateway, const Endpoint& stack)
      : signer_(signer), gateway_(gateway), stack_(stack) {}

  // Peer -> stack. The request has passed the guard. received/rport go on its Via, ours on top, X-VAS-Source
  // is added and any that came from outside dropped.
  std::string request_to_stack(const SipMessage& request, const Flow& source) const;

  // Peer -> stack. Nothing when the top Via is none that this gateway wrote.
  std::optional<std::string> response_to_stack(const SipMessage& response, const Flow& source) const;

  // Stack -> peer. Nothing when the top Via is not ours.
  std::optional<Outbound> response_to_peer(const SipMessage& response) const;

  // Stack -> peer: where a request goes next, and its Via replaced by the public one.
  struct Hop {
    Flow flow;
    bool names_flow = false;  // the first Route names a flow and is to be dropped
  };
  std::variant<Hop, NoHop> next_hop(const SipMessage& request) const;
  std::string request_to_peer(const SipMessage& request, const Hop& hop,
                              const Endpoint& public_endpoint) const;

  // The URI that a dialog puts first among its routes to stay on `flow`.
  std::string flow_route(const Flow& flow) const;

 private:
  std::string own_branch(const SipMessage& request, const Via& top, const Flow& source) const;

  const FlowSigner& signer_;
  const Endpoint gateway_;
  const Endpoint stack_;
};

// A stateless answer to a request that goes no further (RFC 3261 §8.2.6, §11): its Via, From, To, Call-ID and
// CSeq.
std::string stateless_response(const SipMessage& request, const Flow& source, int status,
                               std::string_view reason, std::string_view to_tag);

}  // namespace vas::signaling
