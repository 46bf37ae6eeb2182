#include "bridge/secure_path.h"

#include "vas/base/check.h"

namespace vas::bridge {
namespace {

const media::DtlsSession::Flight kNothing;

}  // namespace

void Keying::configure(const SecureSetup& setup, const std::optional<LegSrtp>& keys,
                       const std::optional<LegDtls>& dtls) {
  setup_ = setup;
  configure_dtls(dtls);
  if (!dtls) use(keys);
}

// A new fingerprint or role is a new association (RFC 8842 §5.4); its keys take over when it has some.
void Keying::configure_dtls(const std::optional<LegDtls>& wanted) {
  if (wanted == dtls_config_) return;
  dtls_config_ = wanted;
  dtls_.reset();
  if (!wanted) return;
  VAS_CHECK(setup_.dtls != nullptr, "control offers DTLS only where there is a certificate");
  dtls_ =
      std::make_unique<media::DtlsAssociation>(*setup_.dtls, wanted->role, wanted->peer, setup_.handshakes);
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

const media::DtlsSession::Flight& Keying::on_dtls(Time now, const Endpoint& source, media::DtlsSource from,
                                                  Bytes datagram) {
  if (!dtls_) return kNothing;
  const bool had_keys = dtls_->keys().has_value();
  const auto& flight = dtls_->on_datagram(now, source, from, datagram);
  if (!had_keys && dtls_->keys()) use(LegSrtp{dtls_->keys()->inbound, dtls_->keys()->outbound});
  return flight;
}

void SecurePath::configure(const LegConfig& config) {
  wants_keys_ = config.srtp || config.dtls;
  rtcp_keying_ = config.dtls && !config.rtcp_mux ? Component::kRtcp : Component::kRtp;
  of(Component::kRtp).configure(setup_, config.srtp, config.dtls);
  if (rtcp_keying_ == Component::kRtcp) {
    of(Component::kRtcp).configure(setup_, {}, config.dtls);
  } else {
    of(Component::kRtcp) = Keying();
  }
  configure_ice(config.ice);
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

void SecurePath::take_over(Time now, const Endpoint& to, const Endpoint& peer, bool is_pipe) {
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
  const auto message = ice::StunMessage::parse(datagram);
  if (!message) return {};
  if (!checks_ || !checks_->on_answer(source, *message)) return ice_->on_check(now, source, *message, reply_);
  ice_->on_proved(now, source, ice_config_->role == ice::IceRole::kControlling);
  return Bytes();
}

const media::DtlsSession::Flight& SecurePath::on_dtls(Time now, Component component, const Endpoint& source,
                                                      media::DtlsSource from, Bytes datagram) {
  return of(component).on_dtls(now, source, from, datagram);
}

}  // namespace vas::bridge
