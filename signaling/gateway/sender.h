// What the stacks send, on its way to the peers: next hops, repeats, flows that are gone, hops that cannot be
// reached.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/gateway/dialog_gate.h"
#include "signaling/gateway/gateway.h"
#include "signaling/gateway/recent_set.h"
#include "signaling/gateway/resolver.h"
#include "signaling/gateway/server_transactions.h"
#include "signaling/gateway/source_judge.h"
#include "signaling/gateway/stack_link.h"
#include "signaling/gateway/stateless_answer.h"
#include "signaling/gateway/trace_tap.h"
#include "signaling/gateway/transports.h"
#include "signaling/gateway/unanswered_invites.h"
#include "signaling/gateway/via_editor.h"

namespace vas::signaling {

// Threads:  the gateway's.
// Lifetime: borrows all that it is made with.
// Bounds:   recent_set.h, unanswered_invites.h.
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
  // An answer, which over UDP goes to who is not proved a few times only. `response` and its `text`: as they
  // came, the same in each repeat wherever it goes. False where nothing new leaves.
  bool send_answer(const SipMessage& response, std::string_view text, Outbound outbound);

  // Something came back for a request of ours: no ICMP error ends it any more.
  void note_answered(const SipMessage& response);
  void on_unsent(std::string_view text, const Flow& flow);  // transports_config.h
  void on_undelivered(std::string_view text);               // the same

 private:
  void on_stack_response(const SipMessage& response, std::string_view text);
  void on_stack_request(const SipMessage& request, std::string_view text);
  void resolve(const std::string& text, const ServerName& name, bool has_failed);
  void send_resolved(const std::string& text, const ServerName& name, const std::vector<Target>& targets,
                     bool has_failed);
  void send_request(const SipMessage& request, std::string_view as_from_stack, const ViaEditor::Hop& hop);
  bool send(const Flow& flow, std::string text, const Manner& manner);
  void answer_elsewhere(const SipMessage& response, std::string_view text, const Flow& gone);
  bool send_elsewhere(const ViaEditor::Unsent& unsent, const Flow& gone);
  void tell_unsent(const SipMessage& request, const Flow& flow, const StatelessAnswer& answer);
  void answer_no_hop(const SipMessage& request);
  std::optional<std::string> fault_of(const Flow& hop, AddressPolicy::PrivateRanges ranges) const;
  bool may_go_to(const SipMessage& message, const Flow& hop, AddressPolicy::PrivateRanges ranges);

  const Parts parts_;
  UnansweredInvites unanswered_;
  RecentSet repeats_;       // messages that went to who is not proved
  RecentSet sent_;          // messages that went to connections
  RecentSet refused_hops_;  // calls whose next hop was refused
  RecentSet attempts_;      // Vias of requests that went to a name
};

}  // namespace vas::signaling
