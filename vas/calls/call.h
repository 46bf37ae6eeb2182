// One call of two legs as a pure state machine: events and the time in, actions out.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>

#include "base/thread_check.h"
#include "signaling/sdp/offer_answer.h"
#include "signaling/sdp/sdp.h"
#include "vas/calls/call_action.h"
#include "vas/calls/call_timers.h"
#include "vas/calls/caller_identity.h"
#include "vas/calls/far_end.h"
#include "vas/records/cdr.h"
#include "vas/routing/routing_plan.h"

namespace vas::calls {

enum class CallKind {
  kRouted,  // leg A dials out: leg B is an INVITE of ours
  kParked,  // leg A waits for the INVITE that presents the token: that is leg B
};

// Our side of ICE by the transport that a party's SIP came by: its listener's.
struct IceModes {
  std::array<IceMode, 5> by_transport{IceMode::kLite, IceMode::kLite, IceMode::kLite, IceMode::kLite,
                                      IceMode::kLite};
  IceMode of(signaling::Transport transport) const {
    return by_transport[static_cast<std::size_t>(transport)];
  }
};

struct CallSetup {
  std::uint64_t id = 0;  // unique in the process; dialog ids are made of it
  CallKind kind = CallKind::kRouted;
  signaling::InviteReceived invite;         // leg A
  routing::RoutingPlan plan;                // of a routed call
  directory::RouteTimeouts route_timeouts;  // of routes that have none of their own
  std::string caller_id;                    // what leg B is told
  CallerIdentity caller_identity;           // what leg A's trusted trunk says of the caller
  std::string from_host;                    // our name in leg B's From
  std::optional<std::int64_t> time_limit_s;
  Duration call_timeout = std::chrono::seconds(60);
  Duration hold_timeout = std::chrono::hours(2);
  bool has_backend = true;                              // of a parked call
  Duration backend_timeout = std::chrono::seconds(10);  // in which it must have replied, whatever is tried
  bool latches_to_anyone = false;                       // leg A's trunk
  bool reaches_private = false;                         // the same: its media may be in a private range
  FarEndRules far_ends;
  bool symmetric_media = true;    // leg A's trunk or domain
  bool symmetric_pick_up = true;  // of who presents the token
  MediaEncryption caller_encryption = MediaEncryption::kNone;
  MediaEncryption pick_up_encryption = MediaEncryption::kNone;  // of who presents the token
  IceModes ice;
  std::optional<IceMode> caller_ice;    // leg A's trunk; none: its listener's
  bool trusts_plain_signaling = false;  // SRTP keys may travel over SIP that is not encrypted
  std::optional<media::CertificateFingerprint> fingerprint;  // ours; none: no DTLS
  records::CallRecord record;                                // identity and start filled in
};

inline constexpr std::string_view kUnreadable = "The session description cannot be read";
inline constexpr std::string_view kNoSharedCodec = "No codec is shared with the other party";
// Of a 488: why (RFC 3261 §20.43).
signaling::Header media_warning(std::string_view why, records::LocalCause cause);
// Of a 415: which body would have been read (RFC 3261 §21.4.13).
signaling::Header accepted_body();

// Keeps what the two parties of one call have said of themselves and their media, the route that is being
// tried, the timers, and the record. It decides at each event what the call is to do next: which leg is
// opened, whom an INVITE or a response goes to, when the call ends and why. It need not know how SIP repeats
// and authenticates, where media runs, which sessions there are, or what else the server does.
//
// It keeps its record as it goes. It reads no clock, opens nothing and calls nobody: what it wants done is
// appended to `actions`, in order.
//
// Threads: control only.
// Lifetime: after Ended it still takes events, which end what late responses began.
class Call {
 public:
  explicit Call(CallSetup setup);

  // Admitted: the journal has it. Begins to route or to notify.
  void start(Time now, WallTime wall, CallActions& actions);
  void on(const CallEvent& event, Time now, WallTime wall, CallActions& actions);
  void on_time(Time now, WallTime wall, CallActions& actions);
  Time next_deadline() const { return timers_.next(); }

  // Refuses a call that was admitted but may not go on, before start().
  void refuse(int status, records::LocalCause cause, std::string reason, Time now, WallTime wall,
              CallActions& actions);

  bool is_ended() const { return phase_ == Phase::kEnded; }
  bool is_waiting_for_pick_up() const;
  std::uint64_t id() const { return setup_.id; }
  const records::CallRecord& record() const { return record_; }
  records::CallRecord& record() { return record_; }
  signaling::DialogId caller_dialog() const { return setup_.invite.dialog; }

 private:
  enum class Phase { kAdmitted, kNotifying, kParked, kRouting, kConnected, kEnded };

  // One side: a dialog and what its party said of its media.
  struct Party {
    signaling::DialogId dialog;
    bool is_incoming = false;  // its INVITE came to us
    bool is_answered = false;  // a 2xx went or came
    std::string call_id;       // of its INVITE, when that came to us
    signaling::Flow source;
    std::optional<signaling::SessionDescription> offer;  // of its INVITE, while that is unanswered
    std::optional<signaling::AudioDescription> audio;    // last agreed from its side
    std::optional<Endpoint> local;
    bridge::PortUse ports = bridge::PortUse::kOwn;
    media::Ssrc ssrc;                              // of what it is sent
    std::vector<ice::Candidate> local_candidates;  // of full ICE
    signaling::SdpOrigin origin;
    bool awaits_answer_in_ack = false;  // our 2xx carried the offer
    bool latches_to_anyone = false;
    bool reaches_private = false;  // the system has said that its media may be in a private range
    bool symmetric_media = true;
    MediaEncryption encryption = MediaEncryption::kNone;
    MediaKeying keying = MediaKeying::kSdes;  // of what we offer
    IceMode ice_mode = IceMode::kNone;
    std::optional<signaling::MediaProtocol> protocol;  // of its media line, once it has one
    std::vector<signaling::CryptoAttribute> crypto_offered;
    std::optional<signaling::SdesKeys> keys;  // neither these nor DTLS: plain RTP
    std::optional<bridge::LegDtls> dtls;
    bool dtls_offered = false;  // by our last offer
    std::string tls_id;         // ours, where the party gives one (RFC 8842 §5)
    std::optional<bridge::LegIce> ice;
  };
  // A re-INVITE or UPDATE on its way from one side to the other.
  struct Renegotiation {
    LegSide from = LegSide::kA;
    signaling::RequestId request;
    signaling::SessionDescription offer;
    std::optional<signaling::SdesKeys> keys;  // of the party that offers, when it is answered
    std::optional<bridge::LegIce> ice;
    // The other's, while the party that offers waits for another leg.
    std::optional<signaling::AudioDescription> answer;
    std::optional<signaling::SdesKeys> answer_keys;
  };
  // Why a party's media cannot be carried, for the party to read.
  struct Refusal {
    std::string why;
    records::LocalCause cause = records::LocalCause::kNoCommonCodec;
    bool is_set() const { return !why.empty(); }
    const char* reason() const {
      if (cause == records::LocalCause::kUnreadableMedia) return "unreadable-media";
      return cause == records::LocalCause::kNoCommonCodec ? "no-common-codec" : "unsafe-media-address";
    }
  };
  struct Now {
    Time time;
    WallTime wall;
    CallActions& actions;
  };
  struct End {
    records::Disposition disposition = records::Disposition::kFailed;
    records::EndedBy ended_by = records::EndedBy::kSystem;
    std::string reason;
    records::LocalCause cause = records::LocalCause::kNone;
    int status_for_unanswered = 480;           // to a party whose INVITE waits
    std::string reason_header;                 // of BYEs and CANCELs
    std::string refusal_reason;                // the Reason that the far side refused with
    std::optional<std::uint32_t> retry_after;  // seconds, as the far side said; none: our own rule
    std::string warning;                       // of a 488, for people
    std::optional<LegSide> gone;               // this party needs to be told nothing
  };

  // call.cc
  // Which function a message of SIP goes to. Of one that comes too late it ends what it would have begun.
  void dispatch(const signaling::SipEvent& event, Now& now);
  // A 2xx of the route that is being tried connects the call; one of any other dialog gets BYE.
  void on_any_answer(const signaling::InviteAnswered& event, Now& now);
  // While both are connected it goes to the other party; before and after that it gets 481.
  void on_any_offer(const signaling::OfferReceived& event, Now& now);
  // As long as the call lives it goes to the other party; then it gets 481.
  void on_any_info(const signaling::InfoReceived& event, Now& now);
  // A session timer was renewed: a sign of life, and of where the party is.
  void on_refreshed(const signaling::SessionRefreshed& event, Now& now);
  // Counted from the answer, also where that was before; a limit that is past ends the call at once.
  void on_time_limit_changed(const TimeLimitChanged& event, Now& now);
  // Counted from when the caller began to wait; nothing changes for one that does not wait.
  void on_call_timeout_changed(const CallTimeoutChanged& event);
  // Neither party was heard for media-timeout.
  void on_media_silent(Now& now);
  // The media plane will not send to where a party wants it: a port of our own.
  void on_media_refused(Now& now);
  // The server stops: who waits gets 503, who talks gets BYE.
  void on_shutdown(Now& now);
  // Leg A is there: the call begins to route or to notify. Leg B: its INVITE goes out, or both are joined.
  // While they talk: one has moved.
  void on_leg_opened(const LegOpened& event, Now& now);
  // No port is free, or none of that IP version: who offered is told so, a route is passed over.
  void on_leg_not_opened(const LegOpened& event, bool is_pick_up, Now& now);
  // The party has given up its INVITE: the caller ends the call, who picked up leaves the caller waiting.
  void on_cancelled(LegSide side, const std::string& reason, Now& now);
  // The API ends the call; its reason says what is told to a caller who waits.
  void on_deleted(DeleteReason reason, Now& now);
  // Nobody picked up or answered in time.
  void on_call_timeout(Now& now);
  // The Expires of the caller's INVITE has run out before a final response (RFC 3261 §13.3.1).
  void on_expired(Now& now);
  // After each sign of life that SIP gives: winds the clock of a held call up again, or stops it where the
  // call is not on hold.
  void watch_hold(Now& now);
  // That clock has run out: media is asked when it was heard last, and the call ends where nobody knows.
  void on_hold_due(Now& now);
  // What media says: the clock is wound up from there, or the call ends.
  void on_heard(Time last, Now& now);
  // The one way out of every phase: tells both parties but `how.gone`, fills in the record, asks for Ended.
  void end(const End& how, Now& now);
  // BYE where it was answered, CANCEL where we called, a refusal where its INVITE waits.
  void end_party(LegSide side, const End& how, Now& now);
  // Both have their 2xx: media starts, the token is used up, the time that is paid for begins.
  void connect(Now& now);
  // The caller hears it ring: the record and the session say so.
  void ring(Now& now);
  Party& party(LegSide side) { return parties_[bridge::index_of(side)]; }
  const Party& party(LegSide side) const { return parties_[bridge::index_of(side)]; }
  std::optional<LegSide> side_of(signaling::DialogId dialog) const;
  records::LegRecord& leg_record(LegSide side) { return record_.legs[bridge::index_of(side)]; }
  // Responds to the party's INVITE.
  void respond(LegSide side, int status, std::string sdp, Now& now,
               std::vector<signaling::Header> headers = {});
  // Sets the timer of the time limit, or clears it where there is none.
  void apply_time_limit(Now& now);
  // The record's: the caller never had our 200, so there is nothing to pay for.
  void roll_back_answer();
  static void send(signaling::SipCommand command, Now& now) { now.actions.emplace_back(std::move(command)); }

  // call_media.cc: what each party says of its media, and is told
  // These two read a party's SDP into `from`. True: it is usable. False without a refusal: it says nothing.
  bool apply_offer(Party& from, const std::optional<std::string>& sdp, Refusal& refusal);
  bool apply_answer(Party& from, const std::optional<std::string>& sdp, Refusal& refusal);
  // Why media may not be sent to where the party says, in words for the party.
  std::optional<std::string> fault_of_media(const Party& from,
                                            const signaling::AudioDescription& audio) const;
  // These two write the SDP that `to` is told; `audio` is the other party's, at our address.
  std::string describe_answer(Party& to, const signaling::SessionDescription& offer,
                              const signaling::AudioDescription& audio);
  std::string describe_offer(Party& to, const signaling::AudioDescription& audio);
  // Whether the party wants keys in SDP, and whether its SIP is safe enough to carry them.
  signaling::SdesRules rules_of(const Party& party) const;
  // Under which keys of SDP media goes by the party's offer, and by its answer to ours; or why it may not.
  signaling::SdesOutcome protection_of(const Party& from, const signaling::AudioDescription& offer) const;
  signaling::SdesOutcome protection_by(const Party& from, const signaling::AudioDescription& answer) const;
  bool is_by_dtls(const Party& from, const signaling::AudioDescription& offer) const;
  // Keeps whose certificate the handshake must show, and which side of it we are; or that there is none.
  static void adopt_certificate(Party& from, const signaling::AudioDescription& audio, bool is_by_dtls);
  // What the leg's ICE is once the offer or answer is in force; nothing: it has none.
  std::optional<bridge::LegIce> ice_with(const Party& from, const signaling::AudioDescription& audio,
                                         bool is_offer) const;
  static bool has_usable_ice(const Party& from, const signaling::AudioDescription& audio);
  static bool needs_own_ports(const Party& from, const signaling::AudioDescription& audio);
  // The IP version of the leg that an offer is for.
  static AddressFamily family_of(const signaling::AudioDescription& offer,
                                 const std::optional<Endpoint>& so_far);
  // Asks for the leg; LegOpened follows, at once or when full ICE has gathered.
  void open_leg(LegSide side, AddressFamily family, Now& now);
  // Adds our fingerprint and our side of ICE to what the party is told.
  void describe_path(const Party& to, bool is_offer, signaling::AudioDescription& ours) const;
  // Puts into force what the party's media was last agreed to be.
  void configure_media(LegSide side, Now& now);

  // call_out.cc: leg B is called by us
  // Ends the call where no route or no hop is left; otherwise tries the first.
  void start_routing(Now& now);
  // Begins leg B anew for the next route and asks for its media.
  void try_next_route(Now& now);
  // Once that media is there.
  void send_invite(Now& now);
  // The route lives: 100 gives it longer, a 18x lets it ring, and is passed to the caller.
  void on_progress(const signaling::ProgressReceived& event, Now& now);
  // The caller gets the answer, and both are connected; or the call ends for want of a codec that both have.
  void on_invite_answered(const signaling::InviteAnswered& event, Now& now);
  // The next route is tried where the response allows it (fails_over) and one is left.
  void on_invite_failed(const signaling::InviteFailed& event, Now& now);
  // No response within the route's time: its INVITE is cancelled, and the next route is tried.
  void on_route_silent(Now& now);
  // There is no media of the IP version that the route's server has: the next one is tried.
  void pass_over_route(Now& now);
  // All routes have failed: the caller hears what the last one said, as far as that is for it.
  void give_up_routing(const signaling::InviteFailed& last, Now& now);
  // Passes a 18x on, with early media where both have described theirs.
  void relay_progress(int status, Now& now);
  // Where leg B's SIP comes from, as the gateway saw it.
  void record_source(const signaling::Flow& source);
  // The route's last response, for the record.
  void record_attempt_code(int code, Now& now);
  static records::Disposition disposition_of(int status);

  // call_in.cc: leg B calls us
  // Asks the backend, and begins to count the caller's wait; without a backend the call ends.
  void start_parking(Now& now);
  // The backend has replied, or is given up: the call is parked, routed elsewhere, or ends.
  void on_backend(const BackendReplied& reply, Now& now);
  // The application sends the call elsewhere: nobody can pick it up any more.
  void route_instead(routing::RoutingPlan plan, Now& now);
  // The backend agrees: the caller hears 180 and waits for who presents the token.
  void park(Now& now);
  // Starts the call timeout: once for the backend's reply, and anew for the pick-up.
  void begin_waiting(Now& now);
  void apply_call_timeout() { timers_.set(CallTimer::kCallTimeout, waiting_since_ + call_timeout_); }
  // Somebody presents the token: its media is opened where a caller waits, and it gets 403 where none does.
  void on_pick_up(const PickUp& event, Now& now);
  // Responds to who presented the token; the caller goes on waiting, and the token is free again.
  void refuse_pick_up(int status, const Refusal& refusal, Now& now);
  // Leg B is nobody's again: the token is free, and INFOs that waited for it are responded to.
  void let_go_of_pick_up(Now& now);
  // Leg B's media is there: both are answered where they share a codec.
  void try_to_join(Now& now);
  // Fills in what each is to be told of the other's formats. False: they share no codec.
  bool agree_on_formats(Now& now);
  // Both get their 2xx, with media configured before: who has one sends at once.
  void respond_to_both(Now& now);

  // call_up.cc: both are connected
  // The party's SIP comes from another place or by another transport than before.
  void follow_source(LegSide side, const signaling::Flow& source);
  // An offer goes to the other party as ours (renegotiation_); its answer comes back, or a refusal does.
  void on_offer(const signaling::OfferReceived& event, LegSide side, Now& now);
  // The other party has answered the offer that is passed on, or refused it: so does the one that offered
  // hear.
  void on_offer_answered(const signaling::OfferAnswered& event, LegSide side, Now& now);
  // The new leg that the offer needs: another IP version, or ICE begun or given up; nothing: it keeps its
  // leg.
  std::optional<OpenLeg> move_for(const Party& from, Renegotiation& renegotiation) const;
  // That leg is there, or could not be had: the offer is answered, or refused.
  void on_leg_moved(const LegOpened& event, Now& now);
  // Both sides are in force from now on, and who offered has its answer.
  void finish_renegotiation(Now& now);
  // Nothing changes, and who offered is told so.
  void refuse_renegotiation(int status, Now& now);
  // Passed to the other party while not too many wait for its response; what is for our ICE is responded to
  // here.
  void on_info(const signaling::InfoReceived& event, LegSide side, Now& now);
  // Responds to those that wait for a party that is gone.
  void give_back_infos(Now& now);
  // The response goes back to who sent the INFO, as far as it is for it.
  void on_info_responded(const signaling::InfoResponded& event, Now& now);
  // The response to an INFO that nobody there can hear now.
  static signaling::RespondToRequest not_now(signaling::DialogId dialog, signaling::RequestId request);
  // Carries the answer where our 2xx made the offer; without a usable one the call ends.
  void on_ack(const signaling::AckReceived& event, LegSide side, Now& now);
  // The party has hung up: the other is told so.
  void on_bye(const signaling::ByeReceived& event, LegSide side, Now& now);
  // The stack has given the party's dialog up: no ACK, no PRACK, or a session that was not refreshed.
  void on_lost(const signaling::DialogLost& event, LegSide side, Now& now);

  const CallSetup setup_;
  CallKind kind_;              // an application may turn a call that was to be parked into a routed one
  routing::RoutingPlan plan_;  // of a routed call
  Phase phase_ = Phase::kAdmitted;
  std::array<Party, 2> parties_;
  CallTimers timers_;
  records::CallRecord record_;
  std::optional<std::int64_t> time_limit_s_;
  Time hold_sign_{};            // of a held call: when its SIP was a sign of life last
  bool is_hold_asked_ = false;  // and whether its media's has been asked for

  // Parked.
  Duration call_timeout_;
  Time waiting_since_{};

  // Routing.
  std::size_t next_route_ = 0;
  Time attempt_started_{};
  bool is_tried_ = false;      // a 100 came
  bool has_progress_ = false;  // a 18x

  // Joining and while up.
  std::optional<Renegotiation> renegotiation_;
  std::map<signaling::RequestId, LegSide> infos_;  // whose party waits for the response
  ThreadCheck thread_check_{"Call"};
};

}  // namespace vas::calls
