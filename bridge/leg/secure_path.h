// How a leg's path to its party is proved and its packets are protected: ICE, DTLS, SRTP; or none of them.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "base/per_second.h"
#include "base/thread_check.h"
#include "bridge/leg/leg_config.h"
#include "ice/agent/consent_checks.h"
#include "ice/agent/ice_lite.h"
#include "media/srtp/dtls_association.h"
#include "media/srtp/early_hellos.h"
#include "media/srtp/srtp_session.h"

namespace vas::bridge {

// What all legs of the process share. Lifetime: outlives them.
struct SecureSetup {
  media::SrtpBackend srtp_backend = media::SrtpBackend::kOpenssl;
  const media::DtlsContext* dtls = nullptr;      // none: no leg is configured for DTLS
  media::DtlsAssociation::Budgets handshakes{};  // of its worker
  PerSecond* strangers = nullptr;                // of its worker: checks that prove nothing
  PerSecond* early_hellos = nullptr;             // of its worker
  int leg_packets_per_second = kLegPacketsPerSecond;
};

// What has become of the way to the party, for an association that there is: whether it may be followed by
// another with the same certificate.
enum class PathChange : std::uint8_t {
  kNone,
  kIceRestart,    // it may: some begin anew then (RFC 8842 §4 asks nobody to)
  kOtherAddress,  // it has to, without ICE (RFC 5763 §6.6)
};

// Keys and sessions of one socket of a leg, or of both where they share keys.
class Keying {
 public:
  // What stays as it was keeps its state: indices, or a whole association.
  void configure(const SecureSetup& setup, const std::optional<LegSrtp>& keys,
                 const std::optional<LegDtls>& dtls, PathChange change);

  std::optional<media::SrtpSuite> suite() const;
  media::SrtpUnprotector* unprotector() { return unprotector_.get(); }  // null: no keys yet
  media::SrtpProtector* protector() { return protector_.get(); }

  // Whether it is a hello of a handshake that is not to be had now, but may be later.
  bool is_unannounced(const Endpoint& source, media::DtlsSource from, Bytes datagram) const {
    return dtls_ && dtls_->is_unannounced(source, from, datagram);
  }
  template <typename Send>
  void on_time(Time now, const Endpoint& peer, Send&& send) {
    if (dtls_) dtls_->on_time(now, peer, send);
  }

  // A hello that may be kept for the association that is to come, and one that was.
  const media::DtlsSession::Flight& on_early_hello(const Endpoint& source, Bytes datagram);
  std::optional<media::EarlyHellos::Hello> pop_early_hello() { return early_ ? early_->pop() : std::nullopt; }
  const media::DtlsSession::Flight& shake_hands(Time now, const Endpoint& source, media::DtlsSource from,
                                                Bytes datagram);

 private:
  void configure_dtls(const std::optional<LegDtls>& wanted, PathChange change);
  const media::HelloCookies& cookies();
  void use(const std::optional<LegSrtp>& keys);

  SecureSetup setup_;
  std::optional<LegSrtp> keys_;
  std::unique_ptr<media::SrtpUnprotector> unprotector_;  // both or none
  std::unique_ptr<media::SrtpProtector> protector_;
  std::optional<LegDtls> dtls_config_;
  std::unique_ptr<media::DtlsAssociation> dtls_;
  std::optional<media::HelloCookies> cookies_;  // of this socket's associations, one after the other
  std::optional<media::EarlyHellos> early_;
};

// Keeps the proof and the keys of one leg's path: its ICE agent, its DTLS associations, its SRTP sessions,
// for RTP and RTCP. It decides whether an address has proved that it is the party's, whether the party still
// consents to be sent to, and whether bytes open under its key. Where neither ICE nor keys were agreed on it
// lets everything pass: who is heard then is Latch's to say. What is in a packet it need not know.
//
// Threads: its bridge's media worker only.
// Bounds:  kMaxEarlyHellosPerSecond.
class SecurePath {
 public:
  static constexpr int kMaxEarlyHellosPerSecond = 20;  // the party's come as two

  explicit SecurePath(const SecureSetup& setup) : setup_(setup) {}

  void configure(const LegConfig& config);

  bool is_encrypted() const { return wants_keys_; }
  std::optional<media::SrtpSuite> suite() const { return of(Component::kRtp).suite(); }

  // kUnauthenticated while keys are still awaited: nothing passes in the clear then.
  media::SrtpResult unprotect(media::PacketBuffer& packet) {
    if (!wants_keys_) return media::SrtpResult::kOk;
    auto* session = of(Component::kRtp).unprotector();
    return session != nullptr ? session->unprotect(packet) : media::SrtpResult::kUnauthenticated;
  }
  media::SrtpResult protect(media::PacketBuffer& packet) {
    if (!wants_keys_) return media::SrtpResult::kOk;
    auto* session = of(Component::kRtp).protector();
    return session != nullptr ? session->protect(packet) : media::SrtpResult::kUnauthenticated;
  }
  media::SrtpResult unprotect_rtcp(media::PacketBuffer& compound);
  media::SrtpResult protect_rtcp(media::PacketBuffer& compound);

  // ICE. Without it the latch says who the party is.
  bool has_ice() const { return ice_.has_value(); }
  // Whether packets from there are the party's.
  bool is_proved(Time now, const Endpoint& source) const {
    return pipe_.is_set() ? source == pipe_ : ice_->is_proved(now, source);
  }
  // Media came from there, which the key has opened if there is one.
  void on_alive(Time now, const Endpoint& source) {
    if (ice_) ice_->on_alive(now, source);
  }
  // Whether they still come from there, as far as checks show.
  bool is_in_use(Time now, const Endpoint& source) const { return ice_->is_in_use(now, source); }
  // Where media goes; unset while there is nowhere, or consent has run out.
  const Endpoint& destination(Time now) const;
  // The party, or the last that was.
  const Endpoint& peer() const { return pipe_.is_set() ? pipe_peer_ : ice_->destination(); }
  // The pair (ice::PathFound) of the agent that has the credentials of the last configure(); until there is
  // one the path before stays. Through a pipe the agent goes on checking.
  void adopt_path(Time now, const Endpoint& to, const Endpoint& peer, bool is_pipe);
  void lose();  // the pipe leads nowhere any more
  // The response, borrowed until the next call, or empty where none is due. Nothing: it is not the party's.
  std::optional<Bytes> on_stun(Time now, const Endpoint& source, Bytes datagram);
  // The check of our own that is due.
  std::optional<ice::ConsentChecks::Check> check_on_time(Time now);

  // An offer of DTLS is under way to the party: hellos may come before its answer does, from anywhere. Until
  // the next configure().
  void await_dtls() { awaits_dtls_ = true; }
  bool awaits_dtls() const { return awaits_dtls_; }
  const media::DtlsSession::Flight& on_early_hello(Time now, Component component, const Endpoint& source,
                                                   Bytes datagram);
  // After configure(), until there is none: what came before it.
  std::optional<media::EarlyHellos::Hello> pop_early_hello(Component component) {
    return of(component).pop_early_hello();
  }
  const media::DtlsSession::Flight& respond_to_early_hello(Time now, Component component,
                                                           media::DtlsSource from,
                                                           const media::EarlyHellos::Hello& hello) {
    return of(component).shake_hands(now, hello.source, from, hello.datagram);
  }

  // DTLS. Without rtcp-mux each socket has an association of its own (RFC 5764 §4.1). `send(to, flight)`.
  const media::DtlsSession::Flight& on_dtls(Time now, Component component, const Endpoint& source,
                                            media::DtlsSource from, Bytes datagram);
  template <typename Send>
  void on_time(Time now, Component component, const Endpoint& peer, Send&& send) {
    of(component).on_time(now, peer, send);
  }

 private:
  PathChange update_path(const LegConfig& config);
  void configure_ice(const std::optional<LegIce>& wanted);
  Keying& of(Component component) { return keyings_[static_cast<std::size_t>(component)]; }
  const Keying& of(Component component) const { return keyings_[static_cast<std::size_t>(component)]; }

  const SecureSetup setup_;
  bool wants_keys_ = false;
  bool awaits_dtls_ = false;
  PerSecond early_hellos_{kMaxEarlyHellosPerSecond};
  Endpoint named_;                           // by SDP, at last
  Component rtcp_keying_ = Component::kRtp;  // whose keys RTCP goes under
  std::array<Keying, 2> keyings_;            // by component; the second only where rtcp_keying_ says so
  std::optional<LegIce> ice_config_;
  std::optional<ice::IceLite> ice_;
  std::unique_ptr<ice::ConsentChecks> checks_;  // of a full side, once its pair was handed over
  Endpoint pipe_;                               // of a relayed pair: where its datagrams go and come from
  Endpoint pipe_peer_;
  std::array<std::uint8_t, ice::StunWriter::kMaxBytes> reply_{};
  ThreadCheck thread_check_{"SecurePath"};
};

}  // namespace vas::bridge
