// One SIP dialog on top of nta: its transactions, its route, its session timer. (RFC 3261 §12-§15)
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/thread_check.h"
#include "base/time.h"
#include "signaling/gateway/gateway.h"
#include "signaling/sip/authentication.h"
#include "signaling/sip/sip_event.h"
#include "signaling/sip/sip_message.h"
#include "signaling/ua/live_entry.h"
#include "signaling/ua/session_timer.h"
#include "signaling/ua/sip_stack.h"
#include "signaling/ua/sofia_handles.h"

namespace vas::signaling {

class Dialog;

// What a dialog needs of its stack. Outlives every dialog.
struct StackContext {
  nta_agent_t* agent = nullptr;
  Gateway* gateway = nullptr;
  const SipStackConfig* config = nullptr;
  std::string gateway_url;  // where every request is sent to
  std::function<void(SipEvent)> publish;
  std::function<void(DialogId)> finished;  // the dialog may be destroyed after the current turn
  std::function<RequestId()> next_request;
  std::unordered_map<std::string, Dialog*> callers;  // by Call-ID: those whose INVITE was ours
  std::size_t number = 0;                            // of this stack among `stacks`
  std::size_t stacks = 1;
};

// What the gateway saw, from a message's X-VAS-Source.
std::optional<Flow> source_of(const Gateway& gateway, const sip_t* sip);

// Keeps what RFC 3261 calls a dialog: its names, its route, its numbers, the last descriptions of both sides,
// and the transactions of nta that are under way in it. It decides by itself what SIP alone can decide: 2xx
// are repeated and acknowledged, challenges are answered, the session is refreshed, forks are hung up, glare
// gets 491. What concerns the call goes up as an event, and comes back as a command. It knows neither the
// other leg nor what a description says, but whether it holds keys.
//
// Threads:  the stack's. Lifetime: destroyed between turns only; its handles then return to nta.
class Dialog {
 public:
  Dialog(StackContext& context, DialogId id) : context_(context), id_(id) {}
  ~Dialog();
  Dialog(const Dialog&) = delete;
  Dialog& operator=(const Dialog&) = delete;

  // Takes over `request`, a new INVITE from `source`. Refuses it by itself where control has no say (420,
  // 422); false then, and the dialog is of no use.
  bool receive_invite(nta_incoming_t* request, const sip_t* sip, const Flow& source);
  void send_invite(const SendInvite& command);
  void restore(const DialogState& state);
  DialogState state() const;

  void respond_to_invite(const RespondToInvite& command);
  void cancel(const std::string& reason);
  void send_bye(const std::string& reason);
  void send_offer(const std::string& sdp);
  void send_info(const SendInfo& command);
  void respond_to_request(const RespondToRequest& command);
  void tick(Time now);
  DialogId id() const { return id_; }
  // It is over, and here for those branches alone that respond to its INVITE late: control has no say in it.
  bool is_finished() const { return is_finished_; }

  // A 2xx to its INVITE that matches no transaction: the far side repeats it, or a fork made another.
  void receive_stray_success(const sip_t* sip);

 private:
  enum class Phase { kInviting, kEstablished, kClosing };
  enum class Sent { kInvite, kOffer, kRefresh, kInfo, kBye, kForkBye, kPrack };
  // A request of ours, whole enough to be said again: with an answer to its challenge, or a longer interval.
  struct Request {
    Sent kind = Sent::kInfo;
    sip_method_t method = sip_method_unknown;
    const char* name = "";
    std::string headers;  // lines
    std::string content_type;
    std::string body;
    RequestId id;        // of kInfo
    std::string branch;  // the tag of the branch that it goes to; empty: the dialog itself
    int repeats = 0;
  };
  struct Outgoing {
    OutgoingHandle handle;
    Request request;
    std::vector<CarriedCredentials> carried;
  };
  // An early dialog of our INVITE, or one that a fork made beside the dialog that we took (RFC 3261 §12.1.2,
  // §13.2.2.4): each has its own tag, route and numbers of requests and of reliable responses.
  struct Branch {
    LegHandle leg;  // none: the dialog's own, until the INVITE is answered
    std::string target;
    std::uint32_t reliable = 0;  // RSeq of the last response that was acknowledged
    bool is_hung_up = false;
  };
  // The way of requests.
  struct Way {
    std::vector<std::string> routes;
    std::string target;
    std::optional<Flow> flow;

    std::string first_hop() const;
  };
  // That a 2xx to our INVITE would begin.
  struct Early {
    std::string tag;
    Way way;
  };
  struct Waiting {  // an incoming request that control responds to
    IncomingHandle handle;
    bool is_invite = false;
    std::string sdp;  // the peer's, when it made an offer
  };

  // These four are called by nta, and hand on to the dialog that `magic` is.
  static int on_leg_request(nta_leg_magic_t* dialog, nta_leg_t*, nta_incoming_t* request, const sip_t* sip);
  static int on_ack_or_cancel(nta_incoming_magic_t* dialog, nta_incoming_t* request, const sip_t* sip);
  static int on_response(nta_outgoing_magic_t* dialog, nta_outgoing_t* request, const sip_t* sip);
  static int on_prack(nta_reliable_magic_t*, nta_reliable_t* reliable, nta_incoming_t* prack,
                      const sip_t* sip);

  // UAS.
  // A request inside the dialog. The status that nta is to respond with; 0: that is done, or the request is
  // kept.
  int receive_request(nta_incoming_t* request, const sip_t* sip);
  // A re-INVITE or UPDATE: responded to here where it changes nothing, or may not be now; else control hears
  // of it.
  int receive_offer(nta_incoming_t* request, const sip_t* sip);
  // Control hears of it, and responds.
  int receive_info(nta_incoming_t* request, const sip_t* sip);
  // The dialog is over, and control hears so; before its 2xx that is a CANCEL to control.
  int receive_bye(nta_incoming_t* request, const sip_t* sip);
  // Of its INVITE or of a re-INVITE: what it answers goes to control, and a BYE that waited for it leaves.
  void receive_ack(nta_incoming_t* request, const sip_t* sip);
  // The INVITE is given up, unless a 2xx has gone.
  void receive_cancel(const sip_t* sip);
  // nta waits no longer for the PRACK or the ACK of a response: the dialog is lost.
  void give_up_waiting(const nta_incoming_t* request);
  // Whether a 2xx to its INVITE has really left.
  bool has_answered() const;
  // Whether the ACK has its INVITE's number.
  bool is_of_invite(const sip_t* ack) const;
  // The BYE that had to wait for the ACK of our 2xx.
  void send_pending_bye();
  // 200 with what was last agreed: nothing changes but the session's timer.
  void respond_to_refresh(nta_incoming_t* request, const sip_t* sip);
  // Where the party is: of a forwarded request as the forwarding node saw it.
  std::optional<Flow> source_of_party(const sip_t* sip) const;
  // True: its Session-Expires was too short, and it has its 422.
  bool refuses_interval(nta_incoming_t* request, const sip_t* sip);
  // Notes what the request asks of the session's timer: it runs from our 2xx on.
  void adopt_session_timer(const sip_t* sip);
  // What our 2xx says of the timer, which starts with it.
  std::string session_timer_headers();

  // UAC.
  // As much of the way as the URI shows.
  static Flow way_to(const SipUri& uri);
  // The INVITE as control wants it, with a new transaction at each repeat.
  void send_invite_request(int repeats = 0);
  // Says the request again where the response asks for that; otherwise goes by what kind of request it was.
  void receive_response(nta_outgoing_t* request, const sip_t* sip);
  // Progress and refusals go to control; a refusal ends the dialog.
  void receive_invite_response(const sip_t* sip);
  // The first 2xx makes its branch the dialog; repeats get their ACK, other branches are hung up.
  void receive_invite_success(const sip_t* sip);
  // Sends the PRACK of a reliable response. False: that came before, or before its time.
  bool acknowledge_progress(const sip_t* sip);
  // Makes a dialog of the last 18x, to send something in it. Its tag; empty: there is none.
  std::string begin_early_dialog();
  // The branch that the response comes from, made where it is new; null: it has no tag, or there are too
  // many.
  Branch* branch_of(const sip_t* sip);
  // The branch with the tag is the dialog from now on; the others keep their own numbers.
  void adopt_leg_of(const std::string& tag);
  // ACK and BYE to a branch that has sent a 2xx too late.
  void hang_up_fork(const sip_t* sip);
  // An ACK of a 2xx, without a transaction: it is sent again for each repeat.
  void acknowledge(nta_leg_t* leg, std::uint32_t sequence, const std::string& target);

  // UAC: each request, whatever its kind (dialog_requests.cc).
  // Sends it with the credentials that are known by now, and keeps it to be said again; fail() where it
  // cannot.
  void send_request(Request request);
  // The leg of the branch that it goes to; null: there is no such branch any more.
  nta_leg_t* leg_of(const Request& request) const;
  // The Request-URI that it goes out with.
  std::string target_of(const Request& request) const;
  // The request could not be sent: control hears as of a refusal, or the dialog ends.
  void fail(const Request& request, int status);
  // True: the response was a challenge, and the request goes again with an answer to it.
  bool retry_authorized(nta_outgoing_t* handle, const sip_t* sip);
  // True: the response was a 422, and the request goes again with a longer interval. (RFC 4028 §7.4)
  bool retry_longer_session(nta_outgoing_t* handle, const sip_t* sip);
  // Takes the message's Min-SE over where it is longer than ours. False: it is not, or is no sensible one.
  bool accepts_longer_session(const sip_t* sip);
  // Of an offer control hears; of a refresh what came of it; both wind the timer up again.
  void receive_offer_response(nta_outgoing_t* handle, const sip_t* sip);
  // The session still stands: it is refreshed in another way, or later.
  void receive_refresh_refusal(const Request& request, const sip_t* sip);
  // A re-INVITE with the SDP.
  Request offer_request(Sent kind, const std::string& sdp) const;
  // An UPDATE without SDP, for a refresh.
  Request update_request() const;
  // What a request of ours says of the session's timer; empty: there is none.
  std::string session_headers(bool we_refresh) const;
  // Whether an INVITE is under way, from either side: there may be one at a time.
  bool is_inviting() const;
  // Starts the timer as the 2xx says, or stops it where it says nothing.
  void adopt_timer_of_response(const sip_t* sip);
  // By UPDATE where the peer takes it, or our SDP may not be said again; by re-INVITE otherwise, once none is
  // under way.
  void refresh();

  // Both.
  // A new Call-ID by which the gateway finds this stack.
  std::string draw_call_id() const;
  // Whether both tags are the dialog's.
  bool is_of_this_dialog(const sip_t* sip) const;
  // nta's half of a dialog; sequences of 0: not known yet.
  LegHandle make_leg(const std::string& local, const std::string& remote, const std::string& call_id,
                     std::uint32_t local_sequence, std::uint32_t remote_sequence);
  // The route and the target that the message gives, and the flow that it came by where requests are to stay
  // on it.
  Way way_by(const sip_t* sip, bool is_server);
  // The way is the dialog's from now on, and the leg's.
  void set_route(nta_leg_t* leg, Way way);
  void apply_route(nta_leg_t* leg) const { apply_route(leg, {routes_, remote_target_, flow_}); }
  // The leg's requests go that way.
  void apply_route(nta_leg_t* leg, const Way& way) const;
  // Whether we may send to what the peer names; a name is judged when its address is known.
  bool may_go_to(const std::string& first_hop) const;
  // A new Contact is the target from now on (RFC 3261 §12.2).
  void refresh_target(const sip_t* sip);
  // The party is where this came from: requests go there where they would not reach its target.
  void follow_source(const sip_t* sip);
  // Who came with a token is reached by the way that it opened, unless its next hop is at the same address.
  bool is_held_to(const Flow& source, const Way& way) const;
  // Whether another connection may be made when the flow is gone.
  bool may_leave(const Way& way) const;
  // Whether requests go by the flow that the message came by, and not to the next hop that it names.
  bool stays_with(const Flow& source, const Way& way) const;
  // The Route headers of its requests, with the one that the gateway reads first.
  std::vector<std::string> all_routes(const Way& way) const;
  // What we said last, and whether that holds keys which were told over TLS.
  void remember_local_sdp(const std::string& sdp);
  // Whether our SDP, said again, would tell its keys in the clear.
  bool would_expose_keys() const;
  // The party is lost: control hears so, and a BYE goes all the same.
  void lose(const std::string& why);
  // It is over; it stays for as long as late branches have to be hung up.
  void finish();

  StackContext& context_;
  const DialogId id_;
  Phase phase_ = Phase::kInviting;
  bool is_finished_ = false;

  // Identity and route: what DialogState holds.
  std::string local_;  // with tag once it is known
  std::string remote_;
  std::string call_id_;
  std::string remote_target_;
  std::vector<std::string> routes_;
  std::optional<Flow> flow_;
  AddressPolicy::PrivateRanges ranges_ = AddressPolicy::PrivateRanges::kClosed;
  std::optional<Flow> peer_source_;  // where the far side's SIP came from last; none: not known
  bool is_of_token_ = false;         // its caller is no trunk
  std::string contact_;
  LiveEntry live_;  // before the leg: it is known as long as there is one
  LegHandle leg_;

  // UAS.
  LiveEntry live_invite_;  // until its final response: a CANCEL may come
  IncomingHandle invite_in_;
  bool peer_supports_100rel_ = false;
  bool requires_100rel_ = false;
  bool is_acked_ = false;
  std::optional<std::string> bye_after_ack_;
  std::map<RequestId, Waiting> waiting_;
  std::map<nta_incoming_t*, IncomingHandle> unacked_;  // re-INVITEs that have their 2xx

  // UAC.
  std::map<nta_outgoing_t*, Outgoing> outgoing_;
  SendInvite invite_;
  std::map<std::string, Branch> branches_;  // by the far side's tag
  std::optional<Early> early_;              // of the last 18x, while no branch is there
  std::string answered_tag_;
  Authentication authentication_;
  bool is_abandoned_ = false;
  std::string abandoned_because_;  // the Reason of its CANCEL
  Time late_responses_until_{};    // until then other branches of its INVITE may respond
  std::uint32_t invite_sequence_ = 0;

  // Session.
  SessionTimer timer_;
  std::uint32_t asked_interval_s_ = 0;  // of the peer's INVITE, 0: none
  bool peer_refreshes_ = true;
  bool peer_supports_timer_ = false;
  bool peer_allows_update_ = false;
  std::uint32_t min_se_s_ = kMinSessionExpires;  // as far as the way has told us
  std::string local_sdp_;
  bool is_sdp_secret_ = false;                // it holds keys, and was told over TLS
  std::optional<std::string> waiting_offer_;  // ours, while a re-INVITE of ours has no answer
  std::string remote_sdp_;
  ThreadCheck thread_check_{"Dialog"};
};

}  // namespace vas::signaling
