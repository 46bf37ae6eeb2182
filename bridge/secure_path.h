// How a leg's path to its party is proved and its packets are protected: ICE, DTLS, SRTP; or none of them.
#pragma once

#include <memory>
#include <optional>

#include "bridge/leg_config.h"
#include "ice/ice_lite.h"
#include "media/dtls_session.h"
#include "media/srtp_session.h"

namespace vas::bridge {

// What all legs of the process share. Lifetime: outlives them.
struct SecureSetup {
  media::SrtpBackend srtp_backend = media::SrtpBackend::kOpenssl;
  const media::DtlsContext* dtls = nullptr;  // none: no leg is configured for DTLS
};

// Threads: its bridge's media worker only.
class SecurePath {
 public:
  explicit SecurePath(const SecureSetup& setup) : setup_(setup) {}

  // What stays as it was keeps its state: indices, proofs, an association.
  void configure(const LegConfig& config);

  bool is_encrypted() const { return wants_keys_; }
  std::optional<media::SrtpSuite> suite() const { return suite_; }

  // kUnauthenticated while keys are still awaited: nothing passes in the clear then.
  media::SrtpResult unprotect(media::PacketBuffer& packet) {
    if (!wants_keys_) return media::SrtpResult::kOk;
    return unprotector_ ? unprotector_->unprotect(packet) : media::SrtpResult::kUnauthenticated;
  }
  media::SrtpResult unprotect_rtcp(media::PacketBuffer& compound) {
    if (!wants_keys_) return media::SrtpResult::kOk;
    return unprotector_ ? unprotector_->unprotect_rtcp(compound) : media::SrtpResult::kUnauthenticated;
  }
  media::SrtpResult protect(media::PacketBuffer& packet) {
    if (!wants_keys_) return media::SrtpResult::kOk;
    return protector_ ? protector_->protect(packet) : media::SrtpResult::kUnauthenticated;
  }
  media::SrtpResult protect_rtcp(media::PacketBuffer& compound) {
    if (!wants_keys_) return media::SrtpResult::kOk;
    return protector_ ? protector_->protect_rtcp(compound) : media::SrtpResult::kUnauthenticated;
  }

  // ICE. Without it the latch says who the party is.
  bool has_ice() const { return ice_.has_value(); }
  const ice::IceLite& ice() const { return *ice_; }
  // The answer, borrowed until the next call; empty: none is due.
  Bytes on_stun(Time now, const Endpoint& source, Bytes datagram);

  // DTLS. `datagram`: from whom the path was proved to be.
  const media::DtlsSession::Flight& on_dtls(Time now, Bytes datagram);
  const media::DtlsSession::Flight& on_time();

 private:
  void configure_dtls(const std::optional<LegDtls>& wanted);
  void use(const std::optional<LegSrtp>& keys);
  void take_dtls_keys();

  const SecureSetup setup_;
  bool wants_keys_ = false;
  std::optional<LegSrtp> keys_;
  std::optional<media::SrtpSuite> suite_;
  std::unique_ptr<media::SrtpUnprotector> unprotector_;  // both or none
  std::unique_ptr<media::SrtpProtector> protector_;
  std::optional<LegDtls> dtls_config_;
  std::unique_ptr<media::DtlsSession> dtls_;
  bool has_dtls_started_ = false;
  std::optional<LegIce> ice_config_;
  std::optional<ice::IceLite> ice_;
  std::array<std::uint8_t, ice::StunWriter::kMaxBytes> reply_{};
};

}  // namespace vas::bridge
