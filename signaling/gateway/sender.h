// What the stacks send, on its way to the peers:
// next hops, repeats, flows that are gone, hops that cannot be reached.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_check.h"
#include "signaling/gateway/gateway.h"
#include "signaling/gateway/net/resolver.h"
#include "signaling/gateway/net/stack_link.h"
#include "signaling/gateway/net/transports.h"
#include "signaling/gateway/policy/dialog_gate.h"
#include "signaling/gateway/policy/invites_without_response.h"
#include "signaling/gateway/policy/recent_set.h"
#include "signaling/gateway/policy/server_transactions.h"
#include "signaling/gateway/policy/source_judge.h"
#include "signaling/gateway/policy/stateless_response.h"
#include "signaling/gateway/trace/trace_tap.h"
#include "signaling/sip/via_editor.h"

namespace vas::signaling {

// Keeps what is to be known of what was sent: repeats, hops that failed, INVITEs that nothing has
// come for. It decides for each message of a stack where it goes, over which flow, and whether anybody may be
// sent it. What a message means to its dialog it need not know.
//
// Threads:  the gateway's.
// Lifetime: borrows all that it is made with.
// Bounds:   recent_set.h, invites_without_response.h.
class Sender {
 public:
  struct Parts {
    const ViaEditor& editor;
    const FlowSigner& signer;
    const AddressPolicy* peers;  // where requests may go; none: anywhere
    const ServerTransactions& transactions;
    const DialogGate& gate;
    SourceJudge& judge;
    StackLink& link;
    Transports& transports;
    Resolver& resolver;
    TraceTap& tap;
    GatewayCounters& counters;
  };
  explicit Sender(const Parts& parts) : parts_(parts) {}

  void send_from_stack(std::string_view text);
  // A response, which over UDP goes to who is not proved a few times only. `response` and its `text`: as they
  // came, the same in each repeat wherever it goes. False where nothing new leaves.
  bool send_response(const SipMessage& response, std::string_view text, Outbound outbound);

  // Something came back for a request of ours: no ICMP error ends it any more.
  void remember_responded(const SipMessage& response);
  void on_unsent(std::string_view text, const Flow& flow);  // transports_config.h
  void on_undelivered(std::string_view text);               // the same

 private:
  // To the flow that its request came by.
  void on_stack_response(const SipMessage& response, std::string_view text);
  // To its next hop, after DNS where that is a name; without one, or where it may not go, the stack gets 503.
  void on_stack_request(const SipMessage& request, std::string_view text);
  // Asks DNS for the name's servers; send_resolved() follows. `has_failed`: the server it went to cannot be
  // reached.
  void resolve(const std::string& text, const ServerName& name, bool has_failed);
  // To one of the servers: the first, or the next where the one before was silent or has failed.
  void send_resolved(const std::string& text, const ServerName& name, const std::vector<Target>& targets,
                     bool has_failed);
  // Over UDP a request in a dialog goes a few times only to who is not proved; a new INVITE is remembered.
  void send_request(const SipMessage& request, std::string_view as_from_stack, const ViaEditor::Hop& hop);
  // Over a connection each message once, but for what is repeated end to end. False: it was a repeat.
  bool send(const Flow& flow, std::string text, const Manner& manner);
  // The request's connection is gone: its response goes over a new one, to the port of its Via.
  void respond_elsewhere(const SipMessage& response, std::string_view text, const Flow& gone);
  // The flow is gone: to the dialog's next hop over another connection. False: there is no such way.
  bool send_elsewhere(const ViaEditor::Unsent& unsent, const Flow& gone);
  // The stack gets `response` as if the peer had sent it. Of an ACK nobody hears.
  void tell_unsent(const SipMessage& request, const Flow& flow, const StatelessResponse& response);
  // The stack gets 503 at once, and tries another way. Of an ACK nobody hears.
  void respond_no_hop(const SipMessage& request);
  // Why nothing is sent to the hop, in words for the log; nothing where it may be, as to our other nodes.
  std::optional<std::string> fault_of(const Flow& hop, AddressPolicy::PrivateRanges ranges) const;
  // The same as a yes or no: a fault is counted, and logged once a call.
  bool may_go_to(const SipMessage& message, const Flow& hop, AddressPolicy::PrivateRanges ranges);

  const Parts parts_;
  InvitesWithoutResponse without_response_;
  RecentSet repeats_;       // messages that went to who is not proved
  RecentSet sent_;          // messages that went to connections
  RecentSet refused_hops_;  // calls whose next hop was refused
  RecentSet attempts_;      // Vias of requests that went to a name
  ThreadCheck thread_check_{"Sender"};
};

}  // namespace vas::signaling
