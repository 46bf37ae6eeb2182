// Leg B calls us: the caller is parked until the INVITE comes that presents its token.
#include <utility>

#include "vas/calls/call.h"

namespace vas::calls {

using records::Disposition;
using records::EndedBy;
using records::LocalCause;

void Call::start_parking(Now& now) {
  if (!setup_.has_backend) {
    return end({.reason = "no-backend", .cause = LocalCause::kNoBackend}, now);
  }
  phase_ = Phase::kNotifying;
  begin_waiting(now);
  timers_.set(CallTimer::kBackend, now.time + setup_.backend_timeout);
  now.actions.emplace_back(NotifyBackend{});
}

// For the backend's word, and then anew for the pick-up.
void Call::begin_waiting(Now& now) {
  waiting_since_ = now.time;
  apply_call_timeout();
}

void Call::on_backend(const BackendAnswered& answer, Now& now) {
  if (phase_ != Phase::kNotifying) return;
  switch (answer.outcome) {
    case BackendOutcome::kPark: return park(now);
    case BackendOutcome::kNotFound:
      return end(
          {.reason = "unknown-number", .cause = LocalCause::kUnknownNumber, .status_for_unanswered = 404},
          now);
    case BackendOutcome::kForbidden:
      return end({.disposition = Disposition::kDenied,
                  .reason = "backend-refused",
                  .cause = LocalCause::kBackendRefused,
                  .status_for_unanswered = 403},
                 now);
    case BackendOutcome::kUnreachable:
      return end({.reason = "backend-unreachable", .cause = LocalCause::kBackendUnreachable}, now);
    case BackendOutcome::kReject:
      return end({.disposition = disposition_of(answer.code),
                  .ended_by = EndedBy::kCallee,
                  .reason = "application-rejected",
                  .cause = LocalCause::kBackendRefused,
                  .status_for_unanswered = answer.code},
                 now);
    case BackendOutcome::kRoute: return route_instead(answer.plan, now);
  }
}

// The application sends the call elsewhere; who dials with its token from now on is refused.
void Call::route_instead(RoutingPlan plan, Now& now) {
  timers_.clear(CallTimer::kBackend);
  timers_.clear(CallTimer::kCallTimeout);
  kind_ = CallKind::kRouted;
  plan_ = std::move(plan);
  start_routing(now);
}

void Call::park(Now& now) {
  phase_ = Phase::kParked;
  begin_waiting(now);
  answer(LegSide::kA, 180, "", now);
  ring(now);
}

void Call::on_pick_up(const PickUp& event, Now& now) {
  if (!is_waiting_for_pick_up()) {
    return send(signaling::AnswerInvite{event.invite.dialog, 403, "", {}}, now);
  }
  Party& callee = party(LegSide::kB);
  callee.dialog = event.invite.dialog;
  callee.is_incoming = true;
  callee.source = event.invite.source;
  callee.call_id = event.invite.call_id;
  callee.encryption = setup_.pick_up_encryption;
  callee.symmetric_media = setup_.symmetric_pick_up;
  callee.ice_mode = setup_.ice.of(callee.source.transport);
  leg_record(LegSide::kB) = {.role = "callee",
                             .uri = event.invite.from_uri,
                             .signaling_address = to_string(event.invite.source.peer),
                             .transport = signaling::to_string(event.invite.source.transport),
                             .user_agent = event.invite.user_agent,
                             .was_present = true};
  Refusal refusal;
  const bool is_offered = take_offer(callee, event.invite.sdp, refusal);
  if (event.invite.has_unknown_body) return refuse_pick_up(415, {}, now);
  if (refusal.is_set()) return refuse_pick_up(488, refusal, now);
  const auto family = is_offered ? family_of(callee.offer->audio, {}) : callee.source.peer.address.family;
  open_leg(LegSide::kB, family, now);
}

// The subscriber may present the token again: a 488 does not strand the caller.
void Call::refuse_pick_up(int status, const Refusal& refusal, Now& now) {
  std::vector<signaling::Header> headers;
  if (status == 415) headers.push_back(accepted_body());
  if (refusal.is_set()) headers.push_back(media_warning(refusal.why, refusal.cause));
  answer(LegSide::kB, status, "", now, std::move(headers));
  let_go_of_pick_up(now);
}

// The caller goes on waiting.
void Call::let_go_of_pick_up(Now& now) {
  give_back_infos(now);
  party(LegSide::kB) = Party{.origin = party(LegSide::kB).origin};
  leg_record(LegSide::kB) = {.role = "callee"};
  now.actions.emplace_back(ReleaseToken{});
}

void Call::try_to_join(Now& now) {
  if (phase_ != Phase::kParked && phase_ != Phase::kNotifying) return;
  if (!agree_on_formats(now)) return refuse_pick_up(488, {std::string(kNoSharedCodec)}, now);
  answer_both(now);
}

// Fills in what each party is to be told. A party that made no offer is offered one codec: what it then
// answers can not disagree with what the other was told.
bool Call::agree_on_formats(Now&) {
  Party& caller = party(LegSide::kA);
  Party& callee = party(LegSide::kB);
  if (caller.offer) caller.audio = caller.offer->audio;
  if (callee.offer) callee.audio = callee.offer->audio;
  if (caller.offer && callee.offer) {
    caller.audio->formats = signaling::shared_formats(caller.offer->audio, callee.offer->audio);
    callee.audio->formats = signaling::shared_formats(callee.offer->audio, *caller.audio);
    return caller.audio->has_audio_codec() && callee.audio->has_audio_codec();
  }
  const auto only_first_codec = [](std::vector<signaling::AudioFormat> formats) {
    bool has_audio = false;
    std::erase_if(formats, [&](const signaling::AudioFormat& each) {
      if (each.codec == media::Codec::kTelephoneEvent) return false;
      return !media::is_audio(each.codec) || std::exchange(has_audio, true);
    });
    return formats;
  };
  for (Party* offered : {&caller, &callee}) {
    Party& silent = offered == &caller ? callee : caller;
    if (!offered->offer) continue;
    offered->audio->formats = only_first_codec(offered->offer->audio.formats);
    silent.audio = signaling::AudioDescription{.rtp = {}, .formats = offered->audio->formats};
    return true;
  }
  // Neither made an offer: PCMU, which every phone has.
  const std::vector<signaling::AudioFormat> formats = {{{0}, media::Codec::kPcmu, 8000, ""},
                                                       {{101}, media::Codec::kTelephoneEvent, 8000, "0-15"}};
  caller.audio = callee.audio = signaling::AudioDescription{.formats = formats};
  return true;
}

void Call::answer_both(Now& now) {
  const auto directions =
      std::array{party(LegSide::kA).audio->direction, party(LegSide::kB).audio->direction};
  // Before the 200s: who has one sends at once.
  for (const LegSide side : {LegSide::kA, LegSide::kB}) {
    Party& each = party(side);
    each.awaits_answer_in_ack = !each.offer;
    if (each.offer) configure_media(side, now);
  }
  for (const LegSide side : {LegSide::kA, LegSide::kB}) {
    Party& each = party(side);
    const Party& opposite = party(bridge::other(side));
    signaling::AudioDescription ours = signaling::relayed(*opposite.audio, *each.local);
    ours.formats = each.audio->formats;
    ours.direction = signaling::answer_direction(directions[bridge::index_of(side)],
                                                 directions[bridge::index_of(bridge::other(side))]);
    each.is_answered = true;
    answer(side, 200, each.offer ? describe_answer(each, *each.offer, ours) : describe_offer(each, ours),
           now);
  }
  record_.call_ids.push_back(party(LegSide::kB).call_id);
  connect(now);
}

}  // namespace vas::calls
