// Who a source is to the gateway, and what it may do: exempt or a stranger, proved or not, banned, within its
// budget, let in with a call. (docs/security.md)
#pragma once

#include <string>

#include "signaling/gateway/gateway_config.h"
#include "signaling/gateway/listener_table.h"
#include "signaling/gateway/live_dialogs.h"
#include "signaling/gateway/proved_sources.h"
#include "signaling/gateway/recent_set.h"
#include "signaling/gateway/sip_message.h"
#include "signaling/gateway/source_ledger.h"

namespace vas::signaling {

// A `branch` is ViaEditor::branch_of() of the request that is judged.
//
// Threads: the gateway's; is_node() any. Lifetime: borrows all that it is made with.
// Bounds:  source_ledger.h, proved_sources.h, recent_set.h.
class SourceJudge {
 public:
  SourceJudge(const GatewayConfig& config, const ListenerTable& listeners, const LiveDialogs& dialogs)
      : config_(config), listeners_(listeners), dialogs_(dialogs), ledger_(config.limits) {}

  // A trusted trunk, or (of a flow) another node: neither limited nor banned.
  bool exempts(const IpAddress& source) const {
    return config_.admission == nullptr || config_.admission->is_exempt(source);
  }
  bool exempts(const Flow& source) const { return exempts(source.peer.address) || is_node(source); }
  bool is_node(const Flow& flow) const;
  // Whether what we send to `flow` is known to arrive at who asked for it.
  bool is_proved(const Flow& flow) const;

  Welcome welcome(const IpAddress& peer, Time now) const;
  bool is_banned(const Flow& source, Time now) const;
  // A ban that a forged datagram may have brought keeps out neither who is proved nor what has a live token.
  bool is_kept_out(const SipMessage& request, const std::string& branch, const Flow& source, Time now) const;
  void count_dropped(const Flow& source) { ledger_.count_dropped(source.peer.address); }
  // False when the source has used up its requests, or its answers for mistakes, for now.
  bool takes_request(const SipMessage& request, const std::string& branch, const Flow& source, Time now);
  bool takes_refusal(const Flow& source, Time now) {
    return exempts(source.peer.address) || ledger_.takes_refusal(source.peer.address, now);
  }
  // True when that brings a ban which ends the source's connections.
  bool offend(const Flow& source, Offence offence, Time now);

  // Of its branch an INVITE was let in, and may still be ringing.
  bool is_let_in(const std::string& branch, Time now) const;
  bool was_admitted(const std::string& branch) const { return admitted_.contains(branch); }
  void admit(const std::string& branch, Time now) { admitted_.note(branch, now); }

  ProvedSources& proved() { return proved_; }
  SourceLedger& ledger() { return ledger_; }

 private:
  bool is_own(const IpAddress& address) const;
  bool has_live_call(const SipMessage& request, const std::string& branch, Time now) const;
  Purse purse_of(const SipMessage& request, const std::string& branch, const Flow& source, Time now) const;

  const GatewayConfig& config_;
  const ListenerTable& listeners_;
  const LiveDialogs& dialogs_;
  SourceLedger ledger_;
  ProvedSources proved_;
  RecentSet admitted_;  // branches of INVITEs that were let in
};

}  // namespace vas::signaling
