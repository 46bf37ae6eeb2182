// What each party says of its media and is told of ours, and what the media plane is to do about it.
#include <algorithm>

#include "base/random.h"
#include "vas/calls/call.h"

namespace vas::calls {

signaling::SdesRules Call::rules_of(const Party& party) const {
  return {.wanted = party.encryption,
          .is_signaling_safe = setup_.trusts_plain_signaling || signaling::is_secure(party.source.transport)};
}

// Reads a party's offer. False without a refusal: it made none. With one: why we cannot carry it.
bool Call::apply_offer(Party& from, const std::optional<std::string>& sdp, Refusal& refusal) {
  if (!sdp) return false;
  auto description = signaling::SessionDescription::parse(*sdp);
  if (!description) {
    refusal = {std::string(kUnreadable), records::LocalCause::kUnreadableMedia};
    return false;
  }
  if (!description->audio_line || !description->audio.has_audio_codec()) {
    refusal.why = "No codec of the offer is supported here";
    return false;
  }
  if (auto fault = fault_of_media(from, description->audio)) {
    refusal = {std::move(*fault), records::LocalCause::kUnsafeMediaAddress};
    return false;
  }
  auto outcome = protection_of(from, description->audio);
  refusal.why = std::move(outcome.refused);
  if (refusal.is_set()) return false;
  from.keys = std::move(outcome.keys);
  adopt_certificate(from, description->audio, is_by_dtls(from, description->audio));
  from.ice = ice_with(from, description->audio, true);
  from.offer = std::move(description);
  return true;
}

// Where ICE proves the way, SDP's own address means nothing.
std::optional<std::string> Call::fault_of_media(const Party& from,
                                                const signaling::AudioDescription& audio) const {
  if (has_usable_ice(from, audio)) return {};
  return fault_of_far_end(setup_.far_ends, audio, ranges_of(from.source, from.reaches_private));
}

// Under which keys an offer's media goes; refused where it may not, or cannot.
signaling::SdesOutcome Call::protection_of(const Party& from,
                                           const signaling::AudioDescription& offer) const {
  if (is_by_dtls(from, offer)) return {};
  return signaling::answer_sdes(offer, rules_of(from), from.keys);
}

// The same of an answer to our offer.
signaling::SdesOutcome Call::protection_by(const Party& from,
                                           const signaling::AudioDescription& answer) const {
  if (from.dtls_offered && answer.dtls) return {};
  return signaling::complete_sdes(from.crypto_offered, answer, rules_of(from));
}

// A fingerprint says that keys are to come by DTLS, whatever the profile is called (RFC 8829 §5.1.2), in a
// plain one too, where that is a wish (RFC 8643). Keys that stand in SDP as well are then not needed.
bool Call::is_by_dtls(const Party& from, const signaling::AudioDescription& offer) const {
  return offer.dtls && setup_.fingerprint && from.encryption != MediaEncryption::kNone;
}

// Roles stay as they are while who offers leaves them to us (RFC 8842 §5.5): others are another association.
void Call::adopt_certificate(Party& from, const signaling::AudioDescription& audio, bool is_by_dtls) {
  using signaling::DtlsSetup;
  from.protocol = audio.protocol;
  const auto before = std::exchange(from.dtls, {});
  if (!is_by_dtls || !audio.dtls) return;
  const bool is_open = audio.dtls->setup == DtlsSetup::kActpass && before;
  const bool is_client =
      is_open ? before->role == media::DtlsRole::kClient : audio.dtls->setup == DtlsSetup::kPassive;
  from.dtls = {is_client ? media::DtlsRole::kClient : media::DtlsRole::kServer, audio.dtls->fingerprints,
               audio.dtls->tls_id};
  if (from.dtls == before) return;
  // 40 hex digits; RFC 8842 §4 asks for 120 bits and 20 characters.
  constexpr std::size_t kTlsIdBytes = 20;
  from.tls_id = audio.dtls->tls_id.empty() ? "" : random_hex(kTlsIdBytes);
}

// Two lite sides check nothing: then SDP's address is the party's, as without ICE. Our candidates are RTP's
// alone; who has agreed on ICE by them, and muxes no RTCP, checks for RTP, and has no way for RTCP.
bool Call::has_usable_ice(const Party& from, const signaling::AudioDescription& audio) {
  const bool is_full = from.ice_mode == IceMode::kFull;
  const bool has_our_candidates = from.ice && from.ports == bridge::PortUse::kOwn;
  return from.ice_mode != IceMode::kNone && audio.ice && (audio.rtcp_mux || has_our_candidates) &&
         (is_full || !audio.ice->is_lite);
}

// A leg that shares a port is nothing without ICE there.
bool Call::needs_own_ports(const Party& from, const signaling::AudioDescription& audio) {
  return from.ports == bridge::PortUse::kShared && !has_usable_ice(from, audio);
}

// What ICE with the party is, once this offer or answer of its is in force. New credentials in an offer are
// the first, or a restart (RFC 8445 §9): ours are new then too, and the roles drawn anew. In an answer ours
// are those that we offered.
std::optional<bridge::LegIce> Call::ice_with(const Party& from, const signaling::AudioDescription& audio,
                                             bool is_offer) const {
  if (!has_usable_ice(from, audio) || (!is_offer && !from.ice)) return {};
  const ice::IceCredentials remote{audio.ice->ufrag, audio.ice->password};
  const bool is_full = from.ice_mode == IceMode::kFull;
  bridge::LegIce ice;
  if (is_offer && (!from.ice || from.ice->remote != remote)) {
    const bool is_controlling = is_full && audio.ice->is_lite;
    ice = {.local = ice::random_credentials(),
           .is_full = is_full,
           .role = is_controlling ? ice::IceRole::kControlling : ice::IceRole::kControlled};
  } else {
    ice = *from.ice;
  }
  ice.remote = remote;
  if (!is_full) return ice;
  ice.peers = audio.ice->candidates;
  const auto ranges = ranges_of(from.source, from.reaches_private);
  std::erase_if(ice.peers, [&](const ice::Candidate& each) {
    return setup_.far_ends.verdict_on(each.address, ranges) != FarEndRules::Verdict::kReachable;
  });
  return ice;
}

// By which IP version an offer wants its media. An unspecified address (a hold of old, or candidates that are
// still to come) says nothing of it: then that of the leg so far, or of its candidates.
AddressFamily Call::family_of(const signaling::AudioDescription& offer,
                              const std::optional<Endpoint>& so_far) {
  const IpAddress& address = offer.rtp.address;
  if (!address.is_unspecified()) return address.family;
  const AddressFamily likely = so_far ? so_far->address.family : address.family;
  if (!offer.ice || offer.ice->candidates.empty()) return likely;
  const auto& candidates = offer.ice->candidates;
  const bool is_there = std::any_of(candidates.begin(), candidates.end(), [&](const ice::Candidate& each) {
    return each.address.address.family == likely;
  });
  return is_there ? likely : candidates.front().address.address.family;
}

// Who has offered ICE may share a port; who is only offered it may not take it, and then needs its own.
void Call::open_leg(LegSide side, AddressFamily family, Now& now) {
  Party& each = party(side);
  OpenLeg leg{side, family, {}};
  if (each.ice && each.ice->is_full) {
    leg.full_ice = each.ice;
  } else if (each.ice && each.offer) {
    leg.ports = bridge::PortUse::kShared;
  }
  each.ports = leg.ports;
  now.actions.emplace_back(std::move(leg));
}

void Call::describe_path(const Party& to, bool is_offer, signaling::AudioDescription& ours) const {
  if (setup_.fingerprint && (is_offer ? to.dtls_offered : to.dtls.has_value())) {
    using signaling::DtlsSetup;
    const bool is_passive = to.dtls && to.dtls->role == media::DtlsRole::kServer;
    ours.dtls = {*setup_.fingerprint,
                 is_offer     ? DtlsSetup::kActpass
                 : is_passive ? DtlsSetup::kPassive
                              : DtlsSetup::kActive,
                 to.tls_id};
    ours.ssrc = to.ssrc;
  }
  if (to.ice) ours.ice = {to.ice->local.ufrag, to.ice->local.password, !to.ice->is_full, to.local_candidates};
}

// Reads a party's answer to our offer. False without a refusal: there is none in it, or none of use.
bool Call::apply_answer(Party& from, const std::optional<std::string>& sdp, Refusal& refusal) {
  auto description = sdp ? signaling::SessionDescription::parse(*sdp) : std::nullopt;
  if (!description && !from.audio)
    refusal = {"The answer has no session description that can be read",
               records::LocalCause::kUnreadableMedia};
  if (!description || !description->audio_line) return false;
  if (auto fault = fault_of_media(from, description->audio)) {
    refusal = {std::move(*fault), records::LocalCause::kUnsafeMediaAddress};
    return false;
  }
  auto outcome = protection_by(from, description->audio);
  refusal.why = std::move(outcome.refused);
  if (refusal.is_set()) return false;
  from.keys = std::move(outcome.keys);
  adopt_certificate(from, description->audio, from.dtls_offered);
  from.ice = ice_with(from, description->audio, false);
  from.audio = std::move(description->audio);
  return true;
}

std::string Call::describe_answer(Party& to, const signaling::SessionDescription& offer,
                                  const signaling::AudioDescription& audio) {
  ++to.origin.version;
  signaling::AudioDescription ours = audio;
  ours.rtcp_mux = offer.audio.rtcp_mux;  // RFC 5761 §5.1.1: accepted when offered
  ours.protocol = offer.audio.protocol;
  ours.mid = offer.audio.mid;
  ours.is_bundled = offer.audio.is_bundled;
  if (to.keys) ours.crypto = {{to.keys->tag, to.keys->ours}};
  describe_path(to, false, ours);
  return signaling::write_answer(to.origin, offer, ours);
}

// Where encryption is a wish only, its keys stand in a plain offer: who does not know them passes them over
// (RFC 8643). A party that has agreed already is offered the same again.
std::string Call::describe_offer(Party& to, const signaling::AudioDescription& audio) {
  ++to.origin.version;
  signaling::AudioDescription ours = audio;
  const bool is_plain_already = to.protocol && !to.keys;  // or has its keys by DTLS
  const bool offers_dtls = !to.protocol && to.keying == MediaKeying::kDtls && setup_.fingerprint &&
                           to.encryption != MediaEncryption::kNone;
  to.dtls_offered = offers_dtls || to.dtls.has_value();
  to.crypto_offered.clear();
  if (!is_plain_already && !offers_dtls) to.crypto_offered = signaling::offer_sdes(rules_of(to), to.keys);
  ours.crypto = to.crypto_offered;
  const bool is_required = to.encryption == MediaEncryption::kRequired;
  ours.protocol = to.protocol.value_or(is_required ? signaling::MediaProtocol::kRtpSavp
                                                   : signaling::MediaProtocol::kRtpAvp);
  if (offers_dtls) ours.protocol = signaling::MediaProtocol::kUdpTlsRtpSavp;
  if (to.ice) ours.rtcp_mux = true;
  if (to.protocol && to.audio) {
    ours.mid = to.audio->mid;
    ours.is_bundled = to.audio->is_bundled;
    ours.rtcp_mux = to.audio->rtcp_mux;
  }
  describe_path(to, true, ours);
  return signaling::write_offer(to.origin, ours);
}

void Call::configure_media(LegSide side, Now& now) {
  const Party& each = party(side);
  if (!each.audio) return;
  bridge::LegConfig config{.far_rtp = each.audio->rtp,
                           .far_rtcp = each.audio->rtcp,
                           .rtcp_mux = each.audio->rtcp_mux,
                           .latches_to_anyone = each.latches_to_anyone,
                           .symmetric = each.symmetric_media,
                           .sends = each.audio->direction.sends,
                           .receives = each.audio->direction.receives};
  if (each.source.peer.is_set()) config.signaling_address = each.source.peer.address;
  const auto ranges = ranges_of(each.source, each.reaches_private);
  for (const Endpoint& far : {config.far_rtp, config.far_rtcp}) {
    if (setup_.far_ends.verdict_on(far, ranges) != FarEndRules::Verdict::kReachable) config.must_show = true;
  }
  config.dtls = each.dtls;
  leg_record(side).ice_candidates.reset();
  if (each.ice && each.audio->ice) {
    leg_record(side).ice_candidates = each.audio->ice->candidates;
    config.ice = each.ice;
    config.far_rtp = config.far_rtcp = {};
  }
  if (each.keys) config.srtp = bridge::LegSrtp{each.keys->theirs, each.keys->ours};
  for (const signaling::AudioFormat& format : each.audio->formats) {
    config.formats.push_back({format.payload_type, format.codec, format.clock_rate});
  }
  now.actions.emplace_back(ConfigureLegMedia{side, std::move(config)});
}

}  // namespace vas::calls
