// Both parties are connected: what changes while they talk, and how it ends.
#include <utility>

#include "vas/calls/call.h"

namespace vas::calls {

using records::Disposition;
using records::EndedBy;
using records::LocalCause;

namespace {

constexpr int kFlowFailed = 430;  // RFC 5626 §11.5: it can be reached no more until it comes back

// What the party that offers is told of the other one's answer: try again, not there now, or never.
int refusal_for(int status) {
  if (status == 491) return 491;
  return status == kFlowFailed || status == 408 || status == 503 ? 480 : 488;
}

// What the sender of an INFO is told: a challenge is none of his, and neither is what ends the other party's
// dialog (RFC 5057 §5.1). 0: that it could not be passed on.
int status_for_sender(int status) {
  switch (status) {
    case 401:
    case 407: return 403;
    case 404:
    case 408:
    case 410:
    case 416:
    case kFlowFailed:
    case 480:
    case 481:
    case 482:
    case 483:
    case 484:
    case 485:
    case 502:
    case 604: return 0;
    default: return status;
  }
}

EndedBy ended_by(LegSide side) { return side == LegSide::kA ? EndedBy::kCaller : EndedBy::kCallee; }

}  // namespace

// A party's SIP came another way: from another network, or over another transport. What it may say of its
// media goes by that at once, and so do we: keys that came over TLS are not to be said over what is plain.
void Call::follow_source(LegSide side, const signaling::Flow& source) {
  if (source.peer.is_set()) party(side).source = source;
}

// Hold, resume and codec changes pass end to end:
// the offer goes to the other party as ours, its answer comes back.
void Call::on_offer(const signaling::OfferReceived& event, LegSide side, Now& now) {
  const auto refuse = [&](int status, const Refusal& why = {}) {
    std::vector<signaling::Header> headers;
    if (why.is_set()) headers.push_back(media_warning(why.why, why.cause));
    send(signaling::RespondToRequest{event.dialog, event.request, status, "", std::move(headers)}, now);
  };
  if (renegotiation_) return refuse(491);
  auto offer = event.sdp ? signaling::SessionDescription::parse(*event.sdp) : std::nullopt;
  const Party& from = party(side);
  Party& to = party(bridge::other(side));
  const bool is_usable =
      offer && offer->audio_line && offer->audio.has_audio_codec() && from.local && to.local;
  if (event.sdp && !offer) return refuse(488, {std::string(kUnreadable), LocalCause::kUnreadableMedia});
  if (!is_usable) return refuse(488, {std::string(kNoSharedCodec)});
  auto security = protection_of(from, offer->audio);
  if (!security.refused.empty()) return refuse(488, {std::move(security.refused)});
  if (auto fault = fault_of_media(from, offer->audio))
    return refuse(488, {std::move(*fault), LocalCause::kUnsafeMediaAddress});

  const std::string sdp = describe_offer(to, signaling::relayed(offer->audio, *to.local));
  renegotiation_ = Renegotiation{.from = side,
                                 .request = event.request,
                                 .offer = std::move(*offer),
                                 .keys = std::move(security.keys),
                                 .ice = {},
                                 .answer = {},
                                 .answer_keys = {}};
  send(signaling::SendOffer{to.dialog, sdp}, now);
}

void Call::on_offer_answered(const signaling::OfferAnswered& event, LegSide side, Now& now) {
  if (!renegotiation_ || renegotiation_->from == side || renegotiation_->answer) return;
  const Party& to = party(side);
  if (event.status / 100 != 2) return refuse_renegotiation(refusal_for(event.status), now);

  auto answer = event.sdp ? signaling::SessionDescription::parse(*event.sdp) : std::nullopt;
  if (!answer || !answer->audio_line) return refuse_renegotiation(488, now);
  auto security = protection_by(to, answer->audio);
  const signaling::AudioDescription agreed{
      .formats = signaling::shared_formats(renegotiation_->offer.audio, answer->audio)};
  if (!security.refused.empty() || !agreed.has_audio_codec() || needs_own_ports(to, answer->audio) ||
      fault_of_media(to, answer->audio))
    return refuse_renegotiation(488, now);

  renegotiation_->answer = std::move(answer->audio);
  renegotiation_->answer_keys = std::move(security.keys);
  auto move = move_for(party(renegotiation_->from), *renegotiation_);
  if (!move) return finish_renegotiation(now);
  now.actions.emplace_back(std::move(*move));
}

// Whether what a party offers needs another leg than it has: it restarts ICE with our full side, gave ICE up
// on a port that is nothing without, or came into a network of the other IP version.
std::optional<OpenLeg> Call::move_for(const Party& from, Renegotiation& renegotiation) const {
  const signaling::AudioDescription& offer = renegotiation.offer.audio;
  const auto& ice = renegotiation.ice = ice_with(from, offer, true);
  const AddressFamily family = family_of(offer, from.local);
  if (ice && ice->is_full) {
    if (from.ice && from.ice->local == ice->local) return {};
    return OpenLeg{renegotiation.from, family, ice};
  }
  const bool moves = needs_own_ports(from, offer) || family != from.local->address.family;
  if (!moves) return {};
  return OpenLeg{renegotiation.from, family, {}, ice ? from.ports : bridge::PortUse::kOwn};
}

void Call::on_leg_moved(const LegOpened& event, Now& now) {
  if (!renegotiation_ || !renegotiation_->answer || renegotiation_->from != event.side) return;
  if (!event.local) return refuse_renegotiation(488, now);
  Party& moved = party(event.side);
  moved.local = event.local;
  moved.local_candidates = event.candidates;
  if (!renegotiation_->ice || renegotiation_->ice->is_full) moved.ports = bridge::PortUse::kOwn;
  finish_renegotiation(now);
}

void Call::refuse_renegotiation(int status, Now& now) {
  const Renegotiation pending = *std::exchange(renegotiation_, {});
  send(signaling::RespondToRequest{party(pending.from).dialog, pending.request, status, ""}, now);
}

void Call::finish_renegotiation(Now& now) {
  const Renegotiation done = *std::exchange(renegotiation_, {});
  const LegSide side = bridge::other(done.from);
  Party& from = party(done.from);
  Party& to = party(side);
  signaling::AudioDescription ours = signaling::relayed(*done.answer, *from.local);
  ours.formats = signaling::shared_formats(done.offer.audio, *done.answer);
  ours.direction = signaling::answer_direction(done.offer.audio.direction, done.answer->direction);

  from.audio = done.offer.audio;
  from.audio->formats = ours.formats;
  from.keys = done.keys;
  adopt_certificate(from, done.offer.audio, is_by_dtls(from, done.offer.audio));
  from.ice = done.ice;
  adopt_certificate(to, *done.answer, to.dtls_offered);
  to.ice = ice_with(to, *done.answer, false);
  to.audio = *done.answer;
  to.keys = done.answer_keys;
  configure_media(done.from, now);
  configure_media(side, now);
  watch_hold(now);
  send(signaling::RespondToRequest{from.dialog, done.request, 200, describe_answer(from, done.offer, ours)},
       now);
}

// The answer to an offer that our 2xx made (RFC 3261 §13.2.2.4).
void Call::on_ack(const signaling::AckReceived& event, LegSide side, Now& now) {
  Party& each = party(side);
  if (!each.awaits_answer_in_ack || phase_ != Phase::kConnected) return;
  each.awaits_answer_in_ack = false;
  Refusal refusal;
  if (!apply_answer(each, event.sdp, refusal) || !each.audio->has_audio_codec()) {
    return end({.disposition = Disposition::kFailed,
                .reason = refusal.reason(),
                .cause = refusal.cause,
                .reason_header = "SIP;cause=488;text=\"No usable answer in ACK\""},
               now);
  }
  configure_media(side, now);
  watch_hold(now);
}

void Call::on_info(const signaling::InfoReceived& event, LegSide side, Now& now) {
  // RFC 8840 §5.1: for our ears. We are lite and need no candidate.
  if (event.content_type.starts_with("application/trickle-ice-sdpfrag"))
    return send(signaling::RespondToRequest{event.dialog, event.request, 200, ""}, now);
  // INFOs of a call that wait for their response: DTMF is one after the other.
  constexpr std::size_t kMaxPending = 16;
  const signaling::DialogId other = party(bridge::other(side)).dialog;
  if (infos_.size() >= kMaxPending || other.value == 0)
    return send(not_now(event.dialog, event.request), now);
  infos_.emplace(event.request, side);
  send(signaling::SendInfo{other, event.request, event.content_type, event.headers, event.body}, now);
}

// Nobody there can hear it yet. Any code that concerns the dialog would end it (RFC 5057 §5.1).
signaling::RespondToRequest Call::not_now(signaling::DialogId dialog, signaling::RequestId request) {
  return {dialog, request, 500, "", {{"Retry-After", "1"}}};
}

// Those that were on their way to, or from, a dialog that is gone: no answer will come.
void Call::give_back_infos(Now& now) {
  for (const auto& [request, side] : infos_) send(not_now(party(side).dialog, request), now);
  infos_.clear();
}

void Call::on_info_responded(const signaling::InfoResponded& event, Now& now) {
  const auto pending = infos_.find(event.request);
  if (pending == infos_.end()) return;
  const signaling::DialogId from = party(pending->second).dialog;
  const int status = status_for_sender(event.status);
  send(status == 0 ? not_now(from, event.request)
                   : signaling::RespondToRequest{from, event.request, status, "", event.headers},
       now);
  infos_.erase(pending);
}

void Call::on_bye(const signaling::ByeReceived& event, LegSide side, Now& now) {
  if (phase_ == Phase::kEnded) return;
  end({.disposition = Disposition::kAnswered,
       .ended_by = ended_by(side),
       .reason = "normal",
       .reason_header = event.reason,
       .gone = side},
      now);
}

void Call::on_lost(const signaling::DialogLost& event, LegSide side, Now& now) {
  if (phase_ == Phase::kEnded) return;
  if (!event.was_answered) roll_back_answer();
  end({.disposition = record_.answer ? Disposition::kAnswered : Disposition::kFailed,
       .reason = event.why,
       .cause = LocalCause::kDialogLost,
       .reason_header = "SIP;cause=408;text=\"The other party is lost\"",
       .gone = side},
      now);
}

}  // namespace vas::calls
