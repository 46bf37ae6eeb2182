// Leg B is called by us: routes in order, failover, early media, the answer.
#include <fmt/format.h>

#include "vas/calls/call.h"

namespace vas::calls {

using records::Disposition;
using records::EndedBy;
using records::LocalCause;

namespace {

constexpr std::uint16_t kAnyPort = 1;  // the address alone is looked at

// A carrier asked for a password that it was not given, or took none.
bool is_challenge(int status) { return status == 401 || status == 407; }

// What the caller hears when all routes failed. 503 speaks of one server only (RFC 3261 §16.7), 3xx is never
// passed, and a challenge is for us: without what it asks, its code would have the caller try to answer it.
int status_for_caller(int status) {
  if (status == 503 || is_challenge(status)) return 500;
  return status < 400 ? 480 : status;
}

// What a party that answered is told: its answer was of no use.
const char* reason_of_hang_up(LocalCause cause) {
  if (cause == LocalCause::kUnsafeMediaAddress) return "SIP;cause=488;text=\"Media address refused\"";
  if (cause == LocalCause::kUnreadableMedia) return "SIP;cause=488;text=\"No readable answer\"";
  return "SIP;cause=488;text=\"No common codec\"";
}

}  // namespace

Disposition Call::disposition_of(int status) {
  switch (status) {
    case 402: return Disposition::kNoCredit;
    case 403:
    case 603: return Disposition::kDenied;
    case 408:
    case 480: return Disposition::kNoAnswer;
    case 486:
    case 600: return Disposition::kBusy;
    default: return status / 100 == 5 ? Disposition::kCongestion : Disposition::kFailed;
  }
}

void Call::start_routing(Now& now) {
  phase_ = Phase::kRouting;
  now.actions.emplace_back(SetStatus{sessions::Status::kProcessing});
  if (setup_.invite.max_forwards < 1)
    return end({.reason = "too-many-hops", .status_for_unanswered = 483}, now);
  if (plan_.routes.empty()) {
    return end({.reason = "no-route", .cause = LocalCause::kDirectionBlocked, .status_for_unanswered = 404},
               now);
  }
  record_.sell_price = plan_.sell_price;
  try_next_route(now);
}

void Call::try_next_route(Now& now) {
  give_back_infos(now);
  const Route& route = plan_.routes[next_route_];
  Party& callee = party(LegSide::kB);
  // A new dialog each time: what a silent route answers later is told apart from the next one's answer.
  callee = Party{.origin = callee.origin};
  callee.dialog = {setup_.id << 8 | (next_route_ + 1)};
  callee.encryption = route.media_encryption;
  callee.keying = route.media_keying;
  callee.ice_mode = route.ice;
  if (route.ice != IceMode::kNone) {
    const bool is_full = route.ice == IceMode::kFull;
    callee.ice = {.local = ice::random_credentials(),
                  .is_full = is_full,
                  .role = is_full ? ice::IceRole::kControlling : ice::IceRole::kControlled};
  }
  // Of a name it is seen when the first answer comes.
  const auto address = IpAddress::parse(route.server.host);
  callee.source.transport = route.transport.value_or(signaling::Transport::kUdp);
  if (address) callee.source.peer = {*address, kAnyPort};
  callee.latches_to_anyone = route.latches_to_anyone;
  callee.reaches_private = route.reaches_private;
  callee.symmetric_media = route.symmetric_media;
  ++next_route_;
  is_tried_ = has_progress_ = false;
  attempt_started_ = now.time;
  record_.route.push_back(
      {.trunk_id = route.trunk_id, .address = to_string(route.server), .number = route.number});
  record_.buy_price = route.buy_price;
  record_.last_sip_code = 0;
  leg_record(LegSide::kB) = {
      .role = "callee",
      .uri = request_uri(route),
      .signaling_address = to_string(route.server),
      .transport = signaling::to_string(route.transport.value_or(signaling::Transport::kUdp)),
      .was_present = true};
  open_leg(LegSide::kB, address ? address->family : AddressFamily::kIpv4, now);
}

void Call::send_invite(Now& now) {
  if (phase_ != Phase::kRouting) return;
  const Party& caller = party(LegSide::kA);
  Party& callee = party(LegSide::kB);
  signaling::AudioDescription ours{.rtp = *callee.local, .formats = signaling::default_formats()};
  if (caller.offer) ours = signaling::relayed(caller.offer->audio, *callee.local);

  std::string sdp = describe_offer(callee, ours);
  if (callee.dtls_offered) now.actions.emplace_back(AwaitDtls{LegSide::kB});

  const Route& route = plan_.routes[next_route_ - 1];
  const std::string from = fmt::format("<sip:{}@{}>", escape_user(setup_.caller_id), setup_.from_host);
  send(signaling::SendInvite{.dialog = callee.dialog,
                             .request_uri = request_uri(route),
                             .from = from,
                             .to = fmt::format("<sip:{}@{}>", escape_user(route.number),
                                               to_string(route.server)),
                             .sdp = std::move(sdp),
                             .headers = identity_headers(setup_.caller_identity, route.identity),
                             .credentials = route.credentials,
                             .reaches_private = route.reaches_private,
                             .max_forwards = setup_.invite.max_forwards - 1},
       now);
  timers_.set(CallTimer::kRoute,
              now.time + route.no_answer_timeout.value_or(setup_.route_timeouts.no_answer));
}

void Call::note_attempt_code(int code, Now& now) {
  record_.last_sip_code = code;
  if (record_.route.empty()) return;
  records::RouteAttempt& attempt = record_.route.back();
  attempt.code = code;
  if (code > 100 && !attempt.post_dial_delay_ms) {
    attempt.post_dial_delay_ms = static_cast<double>((now.time - attempt_started_).count()) / 1000.0;
  }
}

// Where the far side really is: what the gateway saw, not what a name was thought to mean.
void Call::note_source(const signaling::Flow& source) {
  if (!source.peer.is_set()) return;
  party(LegSide::kB).source = source;
  leg_record(LegSide::kB).signaling_address = to_string(source.peer);
  leg_record(LegSide::kB).transport = signaling::to_string(source.transport);
}

void Call::on_progress(const signaling::ProgressReceived& event, Now& now) {
  if (phase_ != Phase::kRouting) return;
  note_attempt_code(event.status, now);
  note_source(event.source);
  if (event.status == 100) {  // the first one counts: who repeats it gets no further by that
    const Route& route = plan_.routes[next_route_ - 1];
    if (!is_tried_ && !has_progress_)
      timers_.set(CallTimer::kRoute,
                  now.time + route.progress_timeout.value_or(setup_.route_timeouts.progress));
    is_tried_ = true;
    return;
  }
  if (!has_progress_) timers_.set(CallTimer::kRing, now.time + kRingTimeout);
  has_progress_ = true;
  timers_.clear(CallTimer::kRoute);
  Refusal refusal;  // is one of the final answer too
  (void)take_answer(party(LegSide::kB), event.sdp, refusal);
  relay_progress(event.status, now);
  ring(now);
}

// 18x and early media pass back. A caller that made no offer gets none before the answer.
void Call::relay_progress(int status, Now& now) {
  Party& caller = party(LegSide::kA);
  const Party& callee = party(LegSide::kB);
  if (!callee.audio || !caller.offer) return answer(LegSide::kA, status, "", now);

  signaling::AudioDescription ours = signaling::relayed(*callee.audio, *caller.local);
  ours.formats = signaling::shared_formats(caller.offer->audio, *callee.audio);
  if (!ours.has_audio_codec()) return answer(LegSide::kA, status, "", now);
  caller.audio = caller.offer->audio;
  caller.audio->formats = ours.formats;
  configure_media(LegSide::kA, now);
  configure_media(LegSide::kB, now);
  answer(LegSide::kA, status, describe_answer(caller, *caller.offer, ours), now);
}

void Call::on_invite_answered(const signaling::InviteAnswered& event, Now& now) {
  Party& caller = party(LegSide::kA);
  Party& callee = party(LegSide::kB);
  note_attempt_code(200, now);
  callee.is_answered = true;
  note_source(event.source);
  record_.call_ids.push_back(event.call_id);
  leg_record(LegSide::kB).user_agent = event.user_agent;

  Refusal refusal;
  (void)take_answer(callee, event.sdp, refusal);
  signaling::AudioDescription ours;
  if (callee.audio) ours = signaling::relayed(*callee.audio, *caller.local);
  if (callee.audio && caller.offer)
    ours.formats = signaling::shared_formats(caller.offer->audio, *callee.audio);
  if (refusal.is_set() || !callee.audio || !ours.has_audio_codec()) {
    return end({.reason = refusal.reason(),
                .cause = refusal.cause,
                .status_for_unanswered = 488,
                .reason_header = reason_of_hang_up(refusal.cause),
                .warning = std::move(refusal.why)},
               now);
  }

  caller.is_answered = true;
  if (caller.offer) {
    caller.audio = caller.offer->audio;
    caller.audio->formats = ours.formats;
    ours.direction = signaling::answer_direction(caller.audio->direction, callee.audio->direction);
  }
  caller.awaits_answer_in_ack = !caller.offer;
  // Before the 200: the caller sends as soon as it has it.
  configure_media(LegSide::kA, now);
  configure_media(LegSide::kB, now);
  answer(LegSide::kA, 200,
         caller.offer ? describe_answer(caller, *caller.offer, ours) : describe_offer(caller, ours), now);
  connect(now);
}

void Call::on_invite_failed(const signaling::InviteFailed& event, Now& now) {
  if (phase_ != Phase::kRouting) return;
  timers_.clear(CallTimer::kRoute);
  timers_.clear(CallTimer::kRing);
  note_attempt_code(event.status, now);
  const bool may_try_another = fails_over(event.status) && next_route_ < plan_.routes.size();
  if (may_try_another) return try_next_route(now);
  give_up_routing(event, now);
}

// No answer at all, or 100 and then nothing: the next route, while the old INVITE is cancelled.
void Call::on_route_silent(Now& now) {
  if (phase_ != Phase::kRouting) return;
  send(signaling::CancelInvite{party(LegSide::kB).dialog}, now);
  if (next_route_ >= plan_.routes.size()) return give_up_routing({}, now);
  try_next_route(now);
}

// A server of an IP version that we have no media over: the next one may have another. Who waited would wait
// for nothing, so it is no 503.
void Call::pass_over_route(Now& now) {
  if (next_route_ < plan_.routes.size()) return try_next_route(now);
  end({.disposition = Disposition::kCongestion,
       .reason = "no-ipv6",
       .cause = LocalCause::kNoMediaPort,
       .status_for_unanswered = 500},
      now);
}

void Call::give_up_routing(const signaling::InviteFailed& last, Now& now) {
  const int last_status = last.status;
  const int status = status_for_caller(last_status);
  const bool is_refused = (last_status / 100 == 4 && !is_challenge(last_status)) || last_status / 100 == 6;
  end({.disposition = last_status == 0 || last_status / 100 == 3 ? Disposition::kCongestion
                                                                 : disposition_of(last_status),
       .ended_by = is_refused ? EndedBy::kCallee : EndedBy::kSystem,
       .reason = last_status == 0 ? "no-response" : "rejected",
       .cause = is_challenge(last_status) ? LocalCause::kTrunkAuthentication : LocalCause::kNone,
       .status_for_unanswered = status,
       .answer_reason = last.reason,
       .retry_after = status == last_status ? last.retry_after : std::nullopt,
       .gone = LegSide::kB},
      now);
}

}  // namespace vas::calls
