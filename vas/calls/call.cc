#include "vas/calls/call.h"

#include <algorithm>

namespace vas::calls {
namespace {

using records::Disposition;
using records::EndedBy;
using records::LocalCause;

template <typename... Handlers>
struct Match : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Match(Handlers...) -> Match<Handlers...>;

}  // namespace

Call::Call(CallSetup setup)
    : setup_(std::move(setup)),
      kind_(setup_.kind),
      plan_(setup_.plan),
      record_(setup_.record),
      time_limit_s_(setup_.time_limit_s) {
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
  Now now{time, wall, actions};
  if (phase_ != Phase::kAdmitted) return;  // cancelled while the journal was written
  Party& caller = party(LegSide::kA);
  const bool is_unknown = setup_.invite.has_unknown_body;
  Refusal refusal;
  const bool is_offered = take_offer(caller, setup_.invite.sdp, refusal);
  if (is_unknown || refusal.is_set()) {
    return end({.reason = refusal.reason(),
                .cause = refusal.cause,
                .status_for_unanswered = is_unknown ? 415 : 488,
                .phrase = is_unknown ? "Unsupported Media Type" : "Not Acceptable Here",
                .warning = std::move(refusal.why)},
               now);
  }
  const auto family = is_offered ? family_of(caller.offer->audio, {}) : caller.source.peer.address.family;
  open_leg(LegSide::kA, family, now);
}

void Call::refuse(int status, LocalCause cause, std::string reason, Time time, WallTime wall,
                  CallActions& actions) {
  Now now{time, wall, actions};
  const bool is_denied = status == 403 || status == 603;
  end({.disposition = is_denied ? Disposition::kDenied : Disposition::kFailed,
       .reason = std::move(reason),
       .cause = cause,
       .status_for_unanswered = status,
       .phrase = status == 404 ? "Not Found"
                 : is_denied   ? "Forbidden"
                               : "Temporarily Unavailable"},
      now);
}

void Call::on(const CallEvent& event, Time time, WallTime wall, CallActions& actions) {
  Now now{time, wall, actions};
  std::visit(
      Match{[&](const signaling::SipEvent& sip) { dispatch(sip, now); },
            [&](const LegOpened& opened) { on_leg_opened(opened, now); },
            [&](const BackendAnswered& answered) { on_backend(answered, now); },
            [&](const PickUp& pick_up) { on_pick_up(pick_up, now); },
            [&](const Deleted& deleted) { on_deleted(deleted.reason, now); },
            [&](const TimeLimitChanged& changed) {
              time_limit_s_ = changed.seconds;
              if (phase_ == Phase::kConnected) apply_time_limit(now);
            },
            [&](const IcePathFound& found) { leg_record(found.side).ice_local_type = found.local_type; },
            [&](const MediaWentSilent&) {
              if (phase_ != Phase::kConnected) return;
              end({.disposition = Disposition::kAnswered,
                   .reason = "media-timeout",
                   .cause = LocalCause::kMediaTimeout,
                   .reason_header = "SIP;cause=408;text=\"No media\""},
                  now);
            },
            [&](const MediaRefused&) {
              end({.reason = "unsafe-media-address",
                   .cause = LocalCause::kUnsafeMediaAddress,
                   .status_for_unanswered = 488,
                   .phrase = "Not Acceptable Here",
                   .reason_header = "SIP;cause=488;text=\"Media address refused\""},
                  now);
            },
            [&](const Shutdown&) {
              if (phase_ == Phase::kEnded) return;
              end({.disposition = phase_ == Phase::kConnected ? Disposition::kAnswered : Disposition::kFailed,
                   .reason = "shutdown",
                   .cause = LocalCause::kShutdown,
                   .status_for_unanswered = 503,
                   .phrase = "Service Unavailable",
                   .reason_header = "SIP;cause=503;text=\"Shutdown\""},
                  now);
            }},
      event);
}

// One case a message. An event of a dialog that is neither side's is a late one: see the end of the function.
void Call::dispatch(const signaling::SipEvent& event, Now& now) {
  std::visit(Match{[](const std::monostate&) {}, [](const signaling::ProbeReceived&) {},
                   [](const signaling::InviteReceived&) {}, [](const signaling::DialogSaved&) {},
                   [&](const signaling::ProgressReceived& each) {
                     if (side_of(each.dialog)) on_progress(each, now);
                   },
                   [&](const signaling::InviteAnswered& each) {
                     if (phase_ == Phase::kRouting && side_of(each.dialog))
                       return on_invite_answered(each, now);
                     send(signaling::SendBye{each.dialog, ""},
                          now);  // it crossed our CANCEL, or an abandoned route came to life
                   },
                   [&](const signaling::InviteFailed& each) {
                     if (side_of(each.dialog)) on_invite_failed(each, now);
                   },
                   [&](const signaling::InviteCancelled& each) {
                     if (const auto side = side_of(each.dialog)) on_cancelled(*side, now);
                   },
                   [&](const signaling::AckReceived& each) {
                     if (const auto side = side_of(each.dialog)) on_ack(each, *side, now);
                   },
                   [&](const signaling::DialogLost& each) {
                     if (const auto side = side_of(each.dialog)) on_lost(each, *side, now);
                   },
                   [&](const signaling::OfferReceived& each) {
                     const auto side = side_of(each.dialog);
                     if (side && phase_ == Phase::kConnected) return on_offer(each, *side, now);
                     send(signaling::AnswerRequest{each.dialog, each.request, 481,
                                                   "Call/Transaction Does Not Exist", ""},
                          now);
                   },
                   [&](const signaling::OfferAnswered& each) {
                     if (const auto side = side_of(each.dialog)) on_offer_answered(each, *side, now);
                   },
                   [&](const signaling::InfoReceived& each) {
                     const auto side = side_of(each.dialog);
                     if (side && phase_ == Phase::kConnected) return on_info(each, *side, now);
                     send(signaling::AnswerRequest{each.dialog, each.request, 481,
                                                   "Call/Transaction Does Not Exist", ""},
                          now);
                   },
                   [&](const signaling::InfoAnswered& each) { on_info_answered(each, now); },
                   [&](const signaling::ByeReceived& each) {
                     if (const auto side = side_of(each.dialog)) on_bye(each, *side, now);
                   }},
             event);
}

void Call::on_time(Time time, WallTime wall, CallActions& actions) {
  Now now{time, wall, actions};
  while (const auto timer = timers_.take_due(time)) {
    switch (*timer) {
      case CallTimer::kRoute: on_route_silent(now); break;
      case CallTimer::kRing: on_call_timeout(now); break;
      case CallTimer::kCallTimeout: on_call_timeout(now); break;
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

void Call::on_call_timeout(Now& now) {
  end({.disposition = Disposition::kNoAnswer, .reason = "no-answer", .cause = LocalCause::kCallTimeout}, now);
}

void Call::on_leg_opened(const LegOpened& event, Now& now) {
  if (phase_ == Phase::kEnded) return;
  if (phase_ == Phase::kConnected) return on_leg_moved(event, now);
  const bool is_pick_up = event.side == LegSide::kB && kind_ == CallKind::kParked;
  if (is_pick_up && party(LegSide::kB).dialog.value == 0) return;  // it was given up while we gathered
  if (!event.local) {
    if (is_pick_up) return refuse_pick_up(503, "Service Unavailable", "", now);
    return end({.disposition = Disposition::kCongestion,
                .reason = "no-media-port",
                .cause = LocalCause::kNoMediaPort,
                .status_for_unanswered = 503,
                .phrase = "Service Unavailable"},
               now);
  }
  party(event.side).local = event.local;
  party(event.side).ssrc = event.ssrc;
  party(event.side).local_candidates = event.candidates;
  if (event.side == LegSide::kA) return kind_ == CallKind::kRouted ? start_routing(now) : start_parking(now);
  if (kind_ == CallKind::kRouted) return send_invite(now);
  try_to_join(now);
}

// The caller hung up before the answer, or (crossing) just after we sent it: its 487 is out, so the call is
// over.
void Call::on_cancelled(LegSide side, Now& now) {
  if (phase_ == Phase::kEnded) return;
  const bool is_pick_up = side == LegSide::kB && phase_ != Phase::kConnected;
  if (is_pick_up) {  // the subscriber's app gave up its INVITE; the caller goes on waiting
    party(side) = Party{.origin = party(side).origin};
    leg_record(side) = {.role = "callee"};
    now.actions.emplace_back(ReleaseToken{});
    return;
  }
  end({.disposition = Disposition::kCancelled,
       .ended_by = side == LegSide::kA ? EndedBy::kCaller : EndedBy::kCallee,
       .reason = "cancelled",
       .gone = side},
      now);
}

void Call::on_deleted(DeleteReason reason, Now& now) {
  if (phase_ == Phase::kEnded) return;
  End how{.disposition = Disposition::kFailed,
          .reason = "deleted",
          .cause = LocalCause::kDeleted,
          .reason_header = "SIP;cause=480;text=\"Ended by the application\""};
  switch (reason) {
    case DeleteReason::kNone: break;
    case DeleteReason::kTimeout: how.disposition = Disposition::kNoAnswer; break;
    case DeleteReason::kDenied:
      how.disposition = Disposition::kDenied;
      how.status_for_unanswered = 603;
      how.phrase = "Decline";
      break;
    case DeleteReason::kBusy:
      how.disposition = Disposition::kBusy;
      how.status_for_unanswered = 486;
      how.phrase = "Busy Here";
      break;
    case DeleteReason::kNoCredit:
      how.disposition = Disposition::kNoCredit;
      how.status_for_unanswered = 402;
      how.phrase = "Payment Required";
      break;
  }
  if (phase_ == Phase::kConnected) {
    how.disposition = Disposition::kAnswered;
    how.reason_header =
        "SIP;cause=" + std::to_string(how.status_for_unanswered) + ";text=\"Ended by the application\"";
  } else if (kind_ == CallKind::kParked) {
    how.ended_by = EndedBy::kCallee;  // its backend said so
  }
  end(how, now);
}

void Call::end(const End& how, Now& now) {
  if (phase_ == Phase::kEnded) return;
  phase_ = Phase::kEnded;
  timers_.clear_all();
  if (renegotiation_) {
    send(signaling::AnswerRequest{party(renegotiation_->from).dialog, renegotiation_->request, 487,
                                  "Request Terminated", ""},
         now);
    renegotiation_.reset();
  }
  for (const LegSide side : {LegSide::kA, LegSide::kB}) {
    if (how.gone != side) end_party(side, how, now);
  }
  record_.disposition = how.disposition;
  record_.termination_reason = how.reason;
  record_.ended_by = how.ended_by;
  record_.local_cause = how.cause;
  record_.end = now.wall;
  record_.ended_at = now.time;
  now.actions.emplace_back(Ended{});
}

void Call::end_party(LegSide side, const End& how, Now& now) {
  const Party& each = party(side);
  if (each.dialog.value == 0) return;
  if (each.is_answered) return send(signaling::SendBye{each.dialog, how.reason_header}, now);
  if (!each.is_incoming) return send(signaling::CancelInvite{each.dialog}, now);
  std::vector<signaling::Header> headers;
  if (how.status_for_unanswered == 488)
    headers.push_back(media_warning(how.warning.empty() ? kNoSharedCodec : how.warning));
  if (how.status_for_unanswered == 503) headers.push_back({"Retry-After", "10"});
  answer(side, how.status_for_unanswered, how.phrase, "", now, std::move(headers));
}

void Call::answer(LegSide side, int status, std::string phrase, std::string sdp, Now& now,
                  std::vector<signaling::Header> headers) {
  send(signaling::AnswerInvite{party(side).dialog, status, std::move(phrase), std::move(sdp),
                               std::move(headers)},
       now);
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
}

void Call::apply_time_limit(Now& now) {
  if (!time_limit_s_) return timers_.clear(CallTimer::kTimeLimit);
  timers_.set(CallTimer::kTimeLimit,
              std::max(now.time, *record_.answered_at + std::chrono::seconds(*time_limit_s_)));
}

}  // namespace vas::calls
