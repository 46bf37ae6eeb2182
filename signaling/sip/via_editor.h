// The edits that a message gets on its way through the gateway: no state, all that is needed rides in Via
// branches and signed flow tokens. (RFC 3261 §16.11, §18.2; RFC 3581)
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/address_policy.h"
#include "signaling/sip/flow.h"
#include "signaling/sip/server_name.h"
#include "signaling/sip/sip_message.h"

namespace vas::signaling {

// Where a message goes: a UDP address, or the connection (or a new one to the address) for TCP.
struct Outbound {
  Flow flow;
  std::string text;
};

// What a request of the stack is held to: nothing but its routes, the flow that its dialog names, or that
// flow for as long as there is one.
enum class FlowBond : std::uint8_t { kNone, kStays, kMayLeave };

enum class NoHop { kUnsupportedTransport, kMalformed };

// Threads: any, immutable.
class ViaEditor {
 public:
  // `gateway`: our end of the loopback. `stacks`: the other ends, where responses go back to.
  ViaEditor(const FlowSigner& signer, const Endpoint& gateway, std::vector<Endpoint> stacks = {})
      : signer_(signer), gateway_(gateway), stacks_(std::move(stacks)) {}

  // Peer -> stack. The request has passed the guard. received/rport go on its Via, ours on top, X-VAS-Source
  // is added and any that came from outside dropped.
  // `origin`: more private headers, whole lines.
  std::string request_to_stack(const SipMessage& request, const Flow& source,
                               std::string_view origin = {}) const;
  // The branch that it gets there: one for a request, its retransmissions, its CANCEL and its ACK, wherever
  // they come from (RFC 3261 §17.2.3, §9.2).
  std::string branch_of(const SipMessage& request, const Flow& source) const;
  // Of the Via that it gets: the branch, and the flow that responses go by.
  std::string via_parameters(const std::string& branch, const Flow& source) const;

  // Peer -> stack. Nothing when the top Via is none that this gateway wrote.
  struct Inbound {
    std::size_t stack = 0;
    std::string text;
    bool proves_source = false;  // it comes from where its request went
  };
  std::optional<Inbound> response_to_stack(const SipMessage& response, const Flow& source) const;

  // Stack -> peer. Nothing when the top Via is not ours. `moved`: where its client is now, if not where the
  // request came from.
  std::optional<Outbound> response_to_peer(const SipMessage& response,
                                           const std::optional<Flow>& moved = {}) const;

  // Stack -> peer: where a request goes next, and its Via replaced by the public one.
  struct Hop {
    Flow flow;
    FlowBond bond = FlowBond::kNone;  // else `flow` is the one that the dialog names
    std::string host;                 // as the URI says it: whom TLS must find there
  };
  // `unnamed`: the transport where the URI names none; nothing: as RFC 3263 has it.
  std::variant<Hop, ServerName, NoHop> next_hop(const SipMessage& request,
                                                std::optional<Transport> unnamed = {}) const;
  std::string request_to_peer(const SipMessage& request, const Hop& hop,
                              const Endpoint& public_endpoint) const;

  // A request that went to a peer and never arrived, as the stack had given it, without the route of the flow
  // that it was sent by; nothing when it is not ours. `ranges`: where it may go now.
  struct Unsent {
    std::string text;
    FlowBond bond = FlowBond::kNone;
  };
  std::optional<Unsent> as_from_stack(const SipMessage& request, AddressPolicy::PrivateRanges ranges) const;

  // Whether the request's next hop may be in a private range: its first Route is private_route().
  AddressPolicy::PrivateRanges ranges_of(const SipMessage& request) const;
  std::string private_route() const;

  // What a dialog puts first among its routes: to stay on `flow` (`may_leave`: while there is one, and to go
  // on as its routes say then), and to have a strict route behind it followed as RFC 3261 §12.2.1.1 has it.
  std::string flow_route(const Flow& flow, bool may_leave) const;
  std::string own_route() const;

 private:
  // What the Routes of a request of the stack say.
  struct Way {
    bool has_own_route = false;  // the first Route is for us alone
    bool is_strict = false;      // the next one is a strict router's
    bool opens_private = false;
    FlowBond bond = FlowBond::kNone;
    std::optional<Flow> flow;
    std::string_view uri;  // of the next hop
  };
  // What is keyed of a branch that went out.
  struct SentBranch {
    std::string_view named;  // all of it that the second hash is over
    std::string_view of_stack;
    std::size_t stack = 0;
    FlowBond bond = FlowBond::kNone;
    std::string_view bound;
  };

  std::optional<Way> way_of(const SipMessage& request) const;
  std::optional<SentBranch> sent_branch(std::string_view branch) const;
  std::string bound_to(std::string_view branch, const Flow& way) const;
  std::optional<std::size_t> stack_at(const Via& via) const;

  const FlowSigner& signer_;
  const Endpoint gateway_;
  const std::vector<Endpoint> stacks_;
};

}  // namespace vas::signaling
