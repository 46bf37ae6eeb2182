// One SIP dialog on top of nta: its transactions, its route, its session timer. (RFC 3261 §12-§15)
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "signaling/gateway/gateway.h"
#include "signaling/gateway/sip_message.h"
#include "signaling/gateway/stateless_answer.h"
#include "signaling/sip_event.h"
#include "signaling/ua/live_entry.h"
#include "signaling/ua/session_timer.h"
#include "signaling/ua/sip_stack.h"
#include "signaling/ua/sofia_handles.h"
#include "vas/base/time.h"

namespace vas::signaling {

// What a dialog needs of its stack. Outlives every dialog.
struct StackContext {
  nta_agent_t* agent = nullptr;
  Gateway* gateway = nullptr;
  const SipStackConfig* config = nullptr;
  std::string gateway_url;  // where every request is sent to
  std::function<void(SipEvent)> publish;
  std::function<void(DialogId)> finished;  // the dialog may be destroyed after the current turn
  std::function<RequestId()> next_request;
  std::size_t number = 0;  // of this stack among `stacks`
  std::size_t stacks = 1;
};

// What the gateway saw, from a message's X-VAS-Source.
std::optional<Flow> source_of(const Gateway& gateway, const sip_t* sip);

// Threads:  the stack's. Lifetime: destroyed between turns only; its handles then return to nta.
class Dialog {
 public:
  Dialog(StackContext& context, DialogId id) : context_(context), id_(id) {}
  Dialog(const Dialog&) = delete;
  Dialog& operator=(const Dialog&) = delete;

  // Takes over `request`, a new INVITE from `source`. Refuses it by itself where control has no say (420,
  // 422); false then, and the dialog is of no use.
  bool receive_invite(nta_incoming_t* request, const sip_t* sip, const Flow& source);
  void send_invite(const SendInvite& command);
  void restore(const DialogState& state);
  DialogState state() const;

  void answer_invite(const AnswerInvite& command);
  void cancel();
  void send_bye(const std::string& reason);
  void send_offer(const std::string& sdp);
  void send_info(const SendInfo& command);
  void answer_request(const AnswerRequest& command);
  void tick(Time now);

  // A 2xx to INVITE that matches no transaction: the far side repeats it, or a fork made another. False when
  // `leg` is not of the dialog whose INVITE it answers.
  static bool receive_stray_success(nta_leg_t* leg, const sip_t* sip);

 private:
  enum class Phase { kInviting, kEstablished, kClosing };
  enum class Sent { kInvite, kOffer, kRefresh, kInfo, kBye, kPrack };
  struct Outgoing {
    OutgoingHandle handle;
    Sent kind;
    RequestId request;
    bool is_authorized = false;  // it carried an answer to a challenge
  };
  // The far side's challenge, answered in every request from then on (RFC 3261 §22.2, §22.3).
  struct Authorization {
    DigestChallenge challenge;
    bool is_proxy = false;
    std::uint32_t uses = 0;
  };
  struct Waiting {  // an incoming request that control answers
    IncomingHandle handle;
    bool is_invite = false;
    std::string sdp;  // the peer's, when it made an offer
  };

  static int on_leg_request(nta_leg_magic_t* dialog, nta_leg_t*, nta_incoming_t* request, const sip_t* sip);
  static int on_ack_or_cancel(nta_incoming_magic_t* dialog, nta_incoming_t* request, const sip_t* sip);
  static int on_response(nta_outgoing_magic_t* dialog, nta_outgoing_t* request, const sip_t* sip);
  static int on_prack(nta_reliable_magic_t*, nta_reliable_t* reliable, nta_incoming_t* prack,
                      const sip_t* sip);

  // UAS.
  int receive_request(nta_incoming_t* request, const sip_t* sip);
  int receive_offer(nta_incoming_t* request, const sip_t* sip);
  int receive_info(nta_incoming_t* request, const sip_t* sip);
  int receive_bye(nta_incoming_t* request, const sip_t* sip);
  void receive_ack(nta_incoming_t* request, const sip_t* sip);
  void send_pending_bye();
  void answer_refresh(nta_incoming_t* request, const sip_t* sip);
  std::string session_timer_headers(const sip_t* sip);

  // UAC.
  static Flow way_to(const SipUri& uri);
  void create_invite();
  void receive_response(nta_outgoing_t* request, const sip_t* sip);
  void receive_invite_response(const sip_t* sip);
  void receive_invite_success(const sip_t* sip);
  void receive_offer_response(Sent kind, nta_outgoing_t* request, const sip_t* sip);
  bool retry_longer_session(const sip_t* sip);
  void hang_up_fork(const sip_t* sip);
  void acknowledge(nta_leg_t* leg, std::uint32_t sequence);
  void adopt_timer_of_response(const sip_t* sip);
  void refresh();
  Outgoing* add(nta_outgoing_t* handle, Sent kind, RequestId request = {});
  bool takes_challenge(const Outgoing& challenged, const sip_t* sip);
  bool retry_authorized(const Outgoing& challenged, const sip_t* sip);
  std::string authorization(const char* method, const std::string& uri);
  void send_bye_request();

  // Both.
  std::string draw_call_id() const;
  bool is_of_this_dialog(const sip_t* sip) const;
  LegHandle make_leg(const std::string& local, const std::string& remote, const std::string& call_id,
                     std::uint32_t local_sequence, std::uint32_t remote_sequence);
  void set_route(nta_leg_t* leg, const sip_t* sip, bool is_server);
  void apply_route(nta_leg_t* leg);
  bool may_go_to(const std::string& first_hop) const;
  void refresh_target(const sip_t* sip);
  void follow_source(const sip_t* sip);
  bool stays_with(const Flow& source) const;
  std::vector<std::string> all_routes() const;
  void lose(const std::string& why);
  void finish();

  StackContext& context_;
  const DialogId id_;
  Phase phase_ = Phase::kInviting;
  bool is_finished_ = false;

  // Identity and route: what DialogState holds.
  std::string local_;  // with tag once it is known
  std::string remote_;
  std::string call_id_;
  std::string remote_tag_;
  std::string remote_target_;
  std::vector<std::string> routes_;
  std::optional<Flow> flow_;
  AddressPolicy::PrivateRanges ranges_ = AddressPolicy::PrivateRanges::kClosed;
  std::optional<IpAddress> peer_address_;  // where the far side's SIP came from last; none: not known
  std::string contact_;
  LiveEntry live_;  // before the leg: it is known as long as there is one
  LegHandle leg_;

  // UAS.
  bool is_of_token_ = false;  // its caller is no trunk
  LiveEntry live_invite_;     // until it is answered: a CANCEL may come
  IncomingHandle invite_in_;
  bool peer_supports_100rel_ = false;
  bool requires_100rel_ = false;
  bool is_acked_ = false;
  std::optional<std::string> bye_after_ack_;
  std::map<RequestId, Waiting> waiting_;
  std::map<nta_incoming_t*, IncomingHandle> unacked_;  // re-INVITEs answered 2xx

  // UAC.
  std::map<nta_outgoing_t*, Outgoing> outgoing_;
  SendInvite invite_;
  std::string answered_tag_;
  std::optional<Authorization> authorization_;
  std::string bye_reason_;
  bool has_progress_ = false;
  bool is_abandoned_ = false;
  std::uint32_t invite_sequence_ = 0;

  // Session.
  SessionTimer timer_;
  std::uint32_t asked_interval_s_ = 0;  // of the peer's INVITE, 0: none
  bool peer_refreshes_ = true;
  bool peer_supports_timer_ = false;
  bool peer_allows_update_ = false;
  std::uint32_t min_se_s_ = kMinSessionExpires;
  std::string local_sdp_;
  std::string offered_sdp_;  // ours, not answered yet
  std::string remote_sdp_;
};

}  // namespace vas::signaling
