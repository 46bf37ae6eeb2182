#include "bridge/secure_path.h"

#include "vas/base/check.h"

namespace vas::bridge {
namespace {

const media::DtlsSession::Flight kNothing;

}  // namespace

void SecurePath::configure(const LegConfig& config) {
  wants_keys_ = config.srtp || config.dtls;
  configure_dtls(config.dtls);
  if (!config.dtls) use(config.srtp);
  if (config.ice == ice_config_) return;
  ice_config_ = config.ice;
  if (!config.ice) {
    ice_.reset();
  } else if (ice_) {
    ice_->restart(config.ice->local, config.ice->remote);
  } else {
    ice_.emplace(config.ice->local, config.ice->remote);
  }
}

// A new fingerprint or role is a new association (RFC 8842 §5.4); its keys take over when it has some.
void SecurePath::configure_dtls(const std::optional<LegDtls>& wanted) {
  if (wanted == dtls_config_) return;
  dtls_config_ = wanted;
  dtls_.reset();
  has_dtls_started_ = false;
  if (!wanted) return;
  VAS_CHECK(setup_.dtls != nullptr, "control offers DTLS only where there is a certificate");
  dtls_ = std::make_unique<media::DtlsSession>(*setup_.dtls, wanted->role, wanted->peer);
}

// A key that stays keeps its session: indices go on, and what was replayed stays replayed. A new one starts
// anew (RFC 4568 §7.1.4).
void SecurePath::use(const std::optional<LegSrtp>& keys) {
  const std::optional<LegSrtp> before = std::exchange(keys_, keys);
  suite_ = keys ? std::optional(keys->outbound.suite()) : std::nullopt;
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

Bytes SecurePath::on_stun(Time now, const Endpoint& source, Bytes datagram) {
  if (!ice_) return {};
  const auto check = ice::StunMessage::parse(datagram);
  if (!check) return {};
  return ice_->on_check(now, source, *check, reply_).value_or(Bytes());
}

const media::DtlsSession::Flight& SecurePath::on_dtls(Time now, Bytes datagram) {
  if (!dtls_) return kNothing;
  const bool had_keys = dtls_->keys().has_value();
  const auto& flight = dtls_->on_datagram(now, datagram);
  if (!had_keys && dtls_->keys()) take_dtls_keys();
  return flight;
}

const media::DtlsSession::Flight& SecurePath::on_time() {
  if (!dtls_ || dtls_->keys()) return kNothing;
  if (std::exchange(has_dtls_started_, true)) return dtls_->on_time();
  return dtls_->start();
}

void SecurePath::take_dtls_keys() { use(LegSrtp{dtls_->keys()->inbound, dtls_->keys()->outbound}); }

}  // namespace vas::bridge
