#include "vas/calls/call.h"

#include <algorithm>

#include "base/match.h"

namespace vas::calls {
namespace {

using records::Disposition;
using records::LocalCause;

constexpr std::string_view kNoSuchFamily = "Media over IPv6 is not spoken here";

}  // namespace

Call::Call(CallSetup setup)
    : setup_(std::move(setup)),
      kind_(setup_.kind),
      plan_(setup_.plan),
      record_(setup_.record),
      time_limit_s_(setup_.time_limit_s),
      call_timeout_(setup_.call_timeout) {
  Party& caller = party(LegSide::kA);
  caller.dialog = setup_.invite.dialog;
  caller.is_incoming = true;
  caller.source = setup_.invite.source;
  caller.latches_to_anyone = setup_.latches_to_anyone;
  caller.reaches_private = setup_.reaches_private;
  caller.symmetric_media = setup_.symmetric_media;
  caller.encryption = setup_.caller_encryption;
  caller.ice_mode = setup_.caller_ice.value_or(setup_.ice.of(setup_.invite.source.transport));
  for (const LegSide side : {LegSide::kA, LegSide::kB})
    party(side).origin = {setup_.id * 2 + bridge::index_of(side) + 1, 0};
  leg_record(LegSide::kA) = {.role = "caller",
                             .uri = setup_.invite.from_uri,
                             .signaling_address = to_string(setup_.invite.source.peer),
                             .transport = signaling::to_string(setup_.invite.source.transport),
                             .user_agent = setup_.invite.user_agent,
                             .was_present = true};
  leg_record(LegSide::kB).role = "callee";
  record_.call_ids.push_back(setup_.invite.call_id);
}

std::optional<LegSide> Call::side_of(signaling::DialogId dialog) const {
  for (const LegSide side : {LegSide::kA, LegSide::kB}) {
    if (dialog.value != 0 && party(side).dialog == dialog) return side;
  }
  return {};
}

bool Call::is_waiting_for_pick_up() const {
  return kind_ == CallKind::kParked && (phase_ == Phase::kNotifying || phase_ == Phase::kParked) &&
         party(LegSide::kB).dialog.value == 0;
}

void Call::start(Time time, WallTime wall, CallActions& actions) {
  thread_check_.check();
  Now now{time, wall, actions};
  if (phase_ != Phase::kAdmitted) return;  // cancelled while the journal was written
  if (const auto expires = setup_.invite.expires_s; expires && *expires != 0)
    timers_.set(CallTimer::kExpiry, time + std::chrono::seconds(*expires));
  Party& caller = party(LegSide::kA);
  const bool is_unknown = setup_.invite.has_unknown_body;
  Refusal refusal;
  const bool is_offered = apply_offer(caller, setup_.invite.sdp, refusal);
  if (is_unknown || refusal.is_set()) {
    return end({.reason = refusal.reason(),
                .cause = refusal.cause,
                .status_for_unanswered = is_unknown ? 415 : 488,
                .warning = std::move(refusal.why)},
               now);
  }
  const auto family = is_offered ? family_of(caller.offer->audio, {}) : caller.source.peer.address.family;
  open_leg(LegSide::kA, family, now);
}

void Call::refuse(int status, LocalCause cause, std::string reason, Time time, WallTime wall,
                  CallActions& actions) {
  thread_check_.check();
  Now now{time, wall, actions};
  const bool is_denied = status == 403 || status == 603;
  end({.disposition = is_denied ? Disposition::kDenied : Disposition::kFailed,
       .reason = std::move(reason),
       .cause = cause,
       .status_for_unanswered = status},
      now);
}

void Call::on(const CallEvent& event, Time time, WallTime wall, CallActions& actions) {
  thread_check_.check();
  Now now{time, wall, actions};
  match(
      event, [&](const signaling::SipEvent& each) { dispatch(each, now); },
      [&](const LegOpened& each) { on_leg_opened(each, now); },
      [&](const BackendReplied& each) { on_backend(each, now); },
      [&](const PickUp& each) { on_pick_up(each, now); },
      [&](const Deleted& each) { on_deleted(each.reason, now); },
      [&](const TimeLimitChanged& each) { on_time_limit_changed(each, now); },
      [&](const CallTimeoutChanged& each) { on_call_timeout_changed(each); },
      [&](const IcePathFound& each) { leg_record(each.side).ice_local_type = each.local_type; },
      [&](const MediaWentSilent&) { on_media_silent(now); },
      [&](const MediaHeard& each) { on_heard(each.last, now); },
      [&](const MediaRefused&) { on_media_refused(now); }, [&](const Shutdown&) { on_shutdown(now); });
}

void Call::on_time_limit_changed(const TimeLimitChanged& event, Now& now) {
  time_limit_s_ = event.seconds;
  if (phase_ == Phase::kConnected) apply_time_limit(now);
}

void Call::on_call_timeout_changed(const CallTimeoutChanged& event) {
  call_timeout_ = event.timeout;
  if (phase_ == Phase::kNotifying || phase_ == Phase::kParked) apply_call_timeout();
}

void Call::on_media_silent(Now& now) {
  if (phase_ != Phase::kConnected) return;
  end({.disposition = Disposition::kAnswered,
       .reason = "media-timeout",
       .cause = LocalCause::kMediaTimeout,
       .reason_header = "SIP;cause=408;text=\"No media\""},
      now);
}

void Call::on_media_refused(Now& now) {
  end({.reason = "unsafe-media-address",
       .cause = LocalCause::kUnsafeMediaAddress,
       .status_for_unanswered = 488,
       .reason_header = "SIP;cause=488;text=\"Media address refused\"",
       .warning = "Media is not sent to a media port of this server"},
      now);
}

void Call::on_shutdown(Now& now) {
  if (phase_ == Phase::kEnded) return;
  end({.disposition = phase_ == Phase::kConnected ? Disposition::kAnswered : Disposition::kFailed,
       .reason = "shutdown",
       .cause = LocalCause::kShutdown,
       .status_for_unanswered = 503,
       .reason_header = "SIP;cause=503;text=\"Shutdown\""},
      now);
}

// An event of a dialog that is neither side's is a late one: of an INVITE that was given up.
void Call::dispatch(const signaling::SipEvent& event, Now& now) {
  match(
      event,
      ignoring<std::monostate, signaling::ProbeReceived, signaling::InviteReceived, signaling::DialogSaved>,
      [&](const signaling::ProgressReceived& each) {
        if (side_of(each.dialog)) on_progress(each, now);
      },
      [&](const signaling::InviteAnswered& each) { on_any_answer(each, now); },
      [&](const signaling::InviteFailed& each) {
        if (side_of(each.dialog)) on_invite_failed(each, now);
      },
      [&](const signaling::InviteCancelled& each) {
        if (const auto side = side_of(each.dialog)) on_cancelled(*side, each.reason, now);
      },
      [&](const signaling::AckReceived& each) {
        if (const auto side = side_of(each.dialog)) on_ack(each, *side, now);
      },
      [&](const signaling::DialogLost& each) {
        if (const auto side = side_of(each.dialog)) on_lost(each, *side, now);
      },
      [&](const signaling::OfferReceived& each) { on_any_offer(each, now); },
      [&](const signaling::OfferAnswered& each) {
        if (const auto side = side_of(each.dialog)) on_offer_answered(each, *side, now);
      },
      [&](const signaling::InfoReceived& each) { on_any_info(each, now); },
      [&](const signaling::InfoResponded& each) { on_info_responded(each, now); },
      [&](const signaling::SessionRefreshed& each) { on_refreshed(each, now); },
      [&](const signaling::ByeReceived& each) {
        if (const auto side = side_of(each.dialog)) on_bye(each, *side, now);
      });
}

void Call::on_any_answer(const signaling::InviteAnswered& event, Now& now) {
  if (phase_ == Phase::kRouting && side_of(event.dialog)) return on_invite_answered(event, now);
  send(signaling::SendBye{event.dialog, ""},
       now);  // it crossed our CANCEL, or an abandoned route came to life
}

void Call::on_any_offer(const signaling::OfferReceived& event, Now& now) {
  const auto side = side_of(event.dialog);
  if (side) follow_source(*side, event.source);
  watch_hold(now);
  if (side && phase_ == Phase::kConnected) return on_offer(event, *side, now);
  send(signaling::RespondToRequest{event.dialog, event.request, 481, ""}, now);
}

void Call::on_any_info(const signaling::InfoReceived& event, Now& now) {
  const auto side = side_of(event.dialog);
  watch_hold(now);
  if (side && phase_ != Phase::kEnded) return on_info(event, *side, now);
  send(signaling::RespondToRequest{event.dialog, event.request, 481, ""}, now);
}

void Call::on_refreshed(const signaling::SessionRefreshed& event, Now& now) {
  if (const auto side = side_of(event.dialog)) follow_source(*side, event.source);
  watch_hold(now);
}

void Call::on_time(Time time, WallTime wall, CallActions& actions) {
  thread_check_.check();
  Now now{time, wall, actions};
  while (const auto timer = timers_.pop_due(time)) {
    switch (*timer) {
      case CallTimer::kRoute: on_route_silent(now); break;
      case CallTimer::kRing: on_call_timeout(now); break;
      case CallTimer::kCallTimeout: on_call_timeout(now); break;
      case CallTimer::kBackend: on_backend({.outcome = BackendOutcome::kUnreachable}, now); break;
      case CallTimer::kExpiry: on_expired(now); break;
      case CallTimer::kHold: on_hold_due(now); break;
      case CallTimer::kTimeLimit:
        end({.disposition = Disposition::kAnswered,
             .reason = "time-limit",
             .cause = LocalCause::kTimeLimit,
             .reason_header = "SIP;cause=200;text=\"Time limit\""},
            now);
        break;
    }
  }
}

// A call on hold has no media that must come, so media-timeout says nothing of it. It lives on by any sign of
// either party: media, RTCP, an offer, an INFO, a refresh of its session (RFC 4028).
void Call::watch_hold(Now& now) {
  const bool is_on_hold = std::any_of(parties_.begin(), parties_.end(), [](const Party& each) {
    return each.audio && !(each.audio->direction.sends && each.audio->direction.receives);
  });
  if (phase_ != Phase::kConnected || !is_on_hold) return timers_.clear(CallTimer::kHold);
  hold_sign_ = now.time;
  is_hold_asked_ = false;
  timers_.set(CallTimer::kHold, now.time + setup_.hold_timeout);
}

void Call::on_hold_due(Now& now) {
  if (is_hold_asked_) return on_heard(Time{}, now);  // nobody knows
  is_hold_asked_ = true;
  timers_.set(CallTimer::kHold, now.time + kHeardPatience);
  now.actions.emplace_back(AskHeard{});
}

void Call::on_heard(Time last, Now& now) {
  if (phase_ != Phase::kConnected || !is_hold_asked_) return;
  is_hold_asked_ = false;
  const Time due = std::max(last, hold_sign_) + setup_.hold_timeout;
  if (now.time < due) return timers_.set(CallTimer::kHold, due);
  end({.disposition = Disposition::kAnswered,
       .reason = "hold-timeout",
       .cause = LocalCause::kHoldTimeout,
       .reason_header = "SIP;cause=408;text=\"Nobody on hold\""},
      now);
}

void Call::on_leg_opened(const LegOpened& event, Now& now) {
  if (phase_ == Phase::kEnded) return;
  if (phase_ == Phase::kConnected) return on_leg_moved(event, now);
  const bool is_pick_up = event.side == LegSide::kB && kind_ == CallKind::kParked;
  if (is_pick_up && party(LegSide::kB).dialog.value == 0) return;  // it was given up while we gathered
  if (!event.local) return on_leg_not_opened(event, is_pick_up, now);
  Party& opened = party(event.side);
  opened.local = event.local;
  opened.ssrc = event.ssrc;
  opened.local_candidates = event.candidates;
  if (opened.dtls && !opened.ice) now.actions.emplace_back(AwaitDtls{event.side});
  if (event.side == LegSide::kA) return kind_ == CallKind::kRouted ? start_routing(now) : start_parking(now);
  if (kind_ == CallKind::kRouted) return send_invite(now);
  try_to_join(now);
}

// An offer of an IP version that is not ours is not acceptable, and will not be in a while either; it is no
// server's fault.
void Call::on_leg_not_opened(const LegOpened& event, bool is_pick_up, Now& now) {
  const bool is_of_offer = !event.has_family && party(event.side).offer;
  if (is_pick_up && is_of_offer)
    return refuse_pick_up(488, {std::string(kNoSuchFamily), LocalCause::kNoMediaPort}, now);
  if (is_pick_up) return refuse_pick_up(503, {}, now);
  if (phase_ == Phase::kRouting && !event.has_family) return pass_over_route(now);
  if (is_of_offer) {
    return end({.reason = "no-ipv6",
                .cause = LocalCause::kNoMediaPort,
                .status_for_unanswered = 488,
                .warning = std::string(kNoSuchFamily)},
               now);
  }
  end({.disposition = Disposition::kCongestion,
       .reason = "no-media-port",
       .cause = LocalCause::kNoMediaPort,
       .status_for_unanswered = 503},
      now);
}

void Call::respond(LegSide side, int status, std::string sdp, Now& now,
                   std::vector<signaling::Header> headers) {
  send(signaling::RespondToInvite{party(side).dialog, status, std::move(sdp), std::move(headers)}, now);
}

void Call::ring(Now& now) {
  if (!record_.ring) record_.ring = now.wall;
  now.actions.emplace_back(SetStatus{sessions::Status::kRinging});
}

void Call::connect(Now& now) {
  phase_ = Phase::kConnected;
  timers_.clear_all();
  record_.answer = now.wall;
  record_.answered_at = now.time;
  record_.disposition = Disposition::kAnswered;
  now.actions.emplace_back(StartMedia{});
  now.actions.emplace_back(ConsumeToken{});
  now.actions.emplace_back(SetStatus{sessions::Status::kConnected});
  apply_time_limit(now);
  watch_hold(now);
}

void Call::apply_time_limit(Now& now) {
  if (!time_limit_s_) return timers_.clear(CallTimer::kTimeLimit);
  timers_.set(CallTimer::kTimeLimit,
              std::max(now.time, *record_.answered_at + std::chrono::seconds(*time_limit_s_)));
}

}  // namespace vas::calls
