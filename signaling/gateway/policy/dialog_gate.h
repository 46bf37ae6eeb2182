// What becomes of a request by the dialog that it says to be in. (RFC 3261 §12.2.2)
#pragma once

#include "base/thread_check.h"
#include "signaling/gateway/policy/live_dialogs.h"
#include "signaling/gateway/policy/proved_sources.h"
#include "signaling/sip/sip_message.h"

namespace vas::signaling {

// A To tag is believed when such a dialog lives here. Who then sends from where the dialog's messages go
// shows by our tag that they arrive. Who sends from elsewhere over UDP may say what does little harm when it
// is false (BYE, INFO and the like: one response each); what would move media or target must be asked for
// again from an address that has proved itself.
//
// Threads: the gateway's. Lifetime: borrows both.
class DialogGate {
 public:
  enum class Verdict {
    kPasses,
    kNoDialog,    // 481, without a transaction
    kNoResponse,  // an ACK of nothing
    kOverBudget,  // of its dialog
    kMustProve    // the source is to respond to a question first: proof_question.h
  };

  DialogGate(LiveDialogs& dialogs, ProvedSources& proved) : dialogs_(dialogs), proved_(proved) {}

  // Whether the dialog that a request with a To tag names lives here.
  bool knows(const SipMessage& request, Time now) const;
  // Of a request with a To tag. `is_vouched`: it came over a connection, from a trunk or from a node.
  Verdict judge(const SipMessage& request, const Flow& source, bool is_vouched, Time now);

  // A response that proves its source, to a request of ours: the dialog's messages go there.
  void learn_party(const SipMessage& response, const Flow& source, Time now);
  // Whether the party of the dialog that `request`, ours, is in has proved itself at `hop`.
  bool is_proved_party(const SipMessage& request, const Flow& hop, Time now) const;

 private:
  LiveDialogs::Key key_of(const SipMessage& message, std::string_view our_tag) const;

  LiveDialogs& dialogs_;
  ProvedSources& proved_;
  ThreadCheck thread_check_{"DialogGate"};
};

}  // namespace vas::signaling
