#include "bridge/leg/secure_path.h"

#include "base/check.h"

namespace vas::bridge {
namespace {

const media::DtlsSession::Flight kNothing;

}  // namespace

void Keying::configure(const SecureSetup& setup, const std::optional<LegSrtp>& keys,
                       const std::optional<LegDtls>& dtls, PathChange change) {
  setup_ = setup;
  configure_dtls(dtls, change);
  if (!dtls) use(keys);
}

// A new fingerprint or role is a new association (RFC 8842 §4); its keys take over when it has some. Where
// both are as they were the one that there is goes on, and another may follow it.
void Keying::configure_dtls(const std::optional<LegDtls>& wanted, PathChange change) {
  const std::optional<LegDtls> before = std::exchange(dtls_config_, wanted);
  if (!wanted) {
    dtls_.reset();
    early_.reset();
    return;
  }
  if (before && dtls_ && before->role == wanted->role && before->peer == wanted->peer) {
    const bool is_due = before->tls_id != wanted->tls_id || change == PathChange::kOtherAddress;
    if (is_due || change == PathChange::kIceRestart) dtls_->renew(is_due);
    return;
  }
  VAS_CHECK(setup_.dtls != nullptr, "control offers DTLS only where there is a certificate");
  dtls_ = std::make_unique<media::DtlsAssociation>(*setup_.dtls, wanted->role, wanted->peer,
                                                   setup_.handshakes, cookies());
}

const media::HelloCookies& Keying::cookies() {
  if (!cookies_) cookies_.emplace();
  return *cookies_;
}

// A key that stays keeps its session: indices go on, and what was replayed stays replayed. A new one starts
// anew (RFC 4568 §7.1.4).
void Keying::use(const std::optional<LegSrtp>& keys) {
  const std::optional<LegSrtp> before = std::exchange(keys_, keys);
  if (!keys) {
    unprotector_.reset();
    protector_.reset();
    return;
  }
  if (!before || before->inbound != keys->inbound)
    unprotector_ = media::make_srtp_unprotector(setup_.srtp_backend, keys->inbound);
  if (!before || before->outbound != keys->outbound)
    protector_ = media::make_srtp_protector(setup_.srtp_backend, keys->outbound);
}

std::optional<media::SrtpSuite> Keying::suite() const {
  return keys_ ? std::optional(keys_->outbound.suite()) : std::nullopt;
}

const media::DtlsSession::Flight& Keying::shake_hands(Time now, const Endpoint& source,
                                                      media::DtlsSource from, Bytes datagram) {
  if (!dtls_) return kNothing;
  const unsigned before = dtls_->handshakes_done();
  const auto& flight = dtls_->on_datagram(now, source, from, datagram);
  if (dtls_->handshakes_done() != before) use(LegSrtp{dtls_->keys()->inbound, dtls_->keys()->outbound});
  return flight;
}

const media::DtlsSession::Flight& Keying::on_early_hello(const Endpoint& source, Bytes datagram) {
  if (!early_) early_.emplace(cookies());
  return early_->on_datagram(source, datagram);
}

void SecurePath::configure(const LegConfig& config) {
  thread_check_.check();
  wants_keys_ = config.srtp || config.dtls;
  awaits_dtls_ = false;
  rtcp_keying_ = config.dtls && !config.rtcp_mux ? Component::kRtcp : Component::kRtp;
  const PathChange change = update_path(config);
  of(Component::kRtp).configure(setup_, config.srtp, config.dtls, change);
  if (rtcp_keying_ == Component::kRtcp) {
    of(Component::kRtcp).configure(setup_, {}, config.dtls, change);
  } else {
    of(Component::kRtcp) = Keying();
  }
  configure_ice(config.ice);
}

// An address that is none says that nothing is to be sent for a while, and no more.
PathChange SecurePath::update_path(const LegConfig& config) {
  if (config.ice) {
    named_ = {};
    const bool is_same = ice_config_ && ice_config_->remote == config.ice->remote;
    return is_same ? PathChange::kNone : PathChange::kIceRestart;
  }
  if (config.far_rtp.address.is_unspecified()) return PathChange::kNone;
  const Endpoint before = std::exchange(named_, config.far_rtp);
  return ice_config_ || (before.is_set() && before != named_) ? PathChange::kOtherAddress : PathChange::kNone;
}

// From anybody. Who floods one leg's port keeps its party's hello waiting, and nobody else's; and none of
// them uses up what is there for checks, which have shown that they know a leg.
const media::DtlsSession::Flight& SecurePath::on_early_hello(Time now, Component component,
                                                             const Endpoint& source, Bytes datagram) {
  if (!early_hellos_.draw(now)) return kNothing;
  if (setup_.early_hellos != nullptr && !setup_.early_hellos->draw(now)) return kNothing;
  return of(component).on_early_hello(source, datagram);
}

void SecurePath::configure_ice(const std::optional<LegIce>& wanted) {
  if (wanted == ice_config_) return;
  ice_config_ = wanted;
  if (!wanted) {
    ice_.reset();
    checks_.reset();
    pipe_ = {};
  } else if (!ice_) {
    ice_.emplace(wanted->local, wanted->remote, wanted->role, setup_.strangers);
  } else if (!wanted->is_full) {
    ice_->restart(wanted->local, wanted->remote);
  }
}

const Endpoint& SecurePath::destination(Time now) const {
  static const Endpoint kNowhere;
  if (pipe_.is_set()) return pipe_;
  return ice_->has_consent(now) ? ice_->destination() : kNowhere;
}

void SecurePath::adopt_path(Time now, const Endpoint& to, const Endpoint& peer, bool is_pipe) {
  thread_check_.check();
  if (!ice_) return;
  checks_.reset();
  if (is_pipe) {
    pipe_ = to;
    pipe_peer_ = peer;
    return;
  }
  pipe_ = {};
  ice_.emplace(ice_config_->local, ice_config_->remote, ice_config_->role, setup_.strangers);
  ice_->on_proved(now, to, true);
  checks_ = std::make_unique<ice::ConsentChecks>(ice_config_->local, ice_config_->remote, ice_config_->role);
}

std::optional<ice::ConsentChecks::Check> SecurePath::check_on_time(Time now) {
  if (!checks_) return {};
  return checks_->on_time(now, destination(now));
}

media::SrtpResult SecurePath::unprotect_rtcp(media::PacketBuffer& compound) {
  if (!wants_keys_) return media::SrtpResult::kOk;
  auto* session = of(rtcp_keying_).unprotector();
  return session != nullptr ? session->unprotect_rtcp(compound) : media::SrtpResult::kUnauthenticated;
}

media::SrtpResult SecurePath::protect_rtcp(media::PacketBuffer& compound) {
  if (!wants_keys_) return media::SrtpResult::kOk;
  auto* session = of(rtcp_keying_).protector();
  return session != nullptr ? session->protect_rtcp(compound) : media::SrtpResult::kUnauthenticated;
}

void SecurePath::lose() { pipe_ = {}; }

std::optional<Bytes> SecurePath::on_stun(Time now, const Endpoint& source, Bytes datagram) {
  if (!ice_) return {};
  if (ice::is_binding_indication(datagram)) {
    if (!is_proved(now, source)) return {};
    ice_->on_alive(now, source);
    return Bytes();
  }
  const auto message = ice::StunMessage::parse(datagram);
  if (!message) return {};
  if (!checks_ || !checks_->on_response(source, *message))
    return ice_->on_check(now, source, *message, reply_);
  ice_->on_proved(now, source, ice_config_->role == ice::IceRole::kControlling);
  return Bytes();
}

const media::DtlsSession::Flight& SecurePath::on_dtls(Time now, Component component, const Endpoint& source,
                                                      media::DtlsSource from, Bytes datagram) {
  Keying& keying = of(component);
  return keying.is_unannounced(source, from, datagram) ? on_early_hello(now, component, source, datagram)
                                                       : keying.shake_hands(now, source, from, datagram);
}

}  // namespace vas::bridge
