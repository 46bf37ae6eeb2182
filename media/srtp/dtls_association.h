// The DTLS association of one socket of a leg: of all handshakes that are begun with it, the one that the
// owner of the certificate ends. (RFC 5764, RFC 6347)
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "base/endpoint.h"
#include "base/thread_check.h"
#include "media/srtp/client_hello.h"
#include "media/srtp/dtls_session.h"

namespace vas::media {

// How far its owner knows that a datagram is the peer's.
enum class DtlsSource : std::uint8_t {
  kProved,     // it comes from where ICE proved the peer to be
  kSdp,        // from the address that SDP names, which anybody can forge
  kCandidate,  // from another that may be the peer's
};

// As the server it works on nothing that costs before the sender has shown that it receives what we send
// there: by ICE, or by a cookie, for which nothing is remembered. Even where ICE has proved the address, a
// second hello while a handshake is under way needs a cookie, so that one with a forged source neither ends
// nor replaces the first. Handshakes of several senders go on side by side: a neighbour's comes to nothing,
// for it has not the certificate's key.
//
// Once there are keys they stay, until another handshake has ended with the peer's certificate too; and one
// is begun only where renew() has said that SDP lets the peer do so, once for each time.
//
// Threads: its leg's media worker only.
// Bounds:  kMaxHandshakes at once; DtlsSession::kMaxAttemptsPerSecond are begun a second with the peer, and
// as many
//          with candidates.
class DtlsAssociation {
 public:
  // The party's, and two of others who may be the party.
  static constexpr std::size_t kMaxHandshakes = 3;
  // Before that a handshake that is under way gives its place to no candidate's.
  static constexpr Duration kUndisturbed = std::chrono::seconds(2);
  // As long a handshake is tried beside keys that there are: a server that goes on with them says nothing.
  static constexpr Duration kRenewal = std::chrono::seconds(30);

  // Of the worker: handshakes a second. An association's first is not kept waiting by others' second ones.
  // None: as many as come.
  struct Budgets {
    PerSecond* first = nullptr;
    PerSecond* again = nullptr;
  };

  // Lifetime: `context` and budgets outlive it.
  DtlsAssociation(const DtlsContext& context, DtlsRole role, CertificateFingerprints peer,
                  const Budgets& budgets, const HelloCookies& cookies = HelloCookies());

  // SDP has changed in such a way that the peer may begin anew, with the certificate that it had. As the
  // client we begin with on_time(), where `is_due`.
  void renew(bool is_due);
  // Whether it is a hello of a handshake that nothing in SDP has announced.
  bool is_unannounced(const Endpoint& source, DtlsSource from, Bytes datagram) const;

  // What is to be sent back to `source`, a datagram each; borrowed until the next call.
  using Flight = DtlsSession::Flight;
  const Flight& on_datagram(Time now, const Endpoint& source, DtlsSource from, Bytes datagram);

  // To be called now and then: begins as the client, and sends again what was lost. `send(to, flight)`;
  // `peer`: where media goes, if anywhere.
  template <typename Send>
  void on_time(Time now, const Endpoint& peer, Send&& send) {
    if (is_to_begin_ && role_ == DtlsRole::kClient && handshakes_.empty() && peer.is_set())
      return send(peer, begin_as_client(now));
    for (Handshake& each : handshakes_) {
      const Endpoint& to = each.source.is_set() ? each.source : peer;
      if (to.is_set()) send(to, each.session->on_time(now));
    }
    drop_failed(now);
  }

  // Of the last handshake that ended well.
  const std::optional<DtlsKeys>& keys() const;
  unsigned handshakes_done() const { return handshakes_done_; }

 private:
  struct Handshake {
    Endpoint source;  // unset: wherever ICE proves the peer to be
    std::array<std::uint8_t, ClientHello::kRandomBytes> random{};
    std::unique_ptr<DtlsSession> session;
    Time begun{};
  };

  const Flight& begin_as_client(Time now);
  bool is_of(const Handshake& handshake, const Endpoint& source, const ClientHello& hello) const;
  bool is_known(const Endpoint& source, const ClientHello& hello) const;
  Endpoint key_of(const Endpoint& source, DtlsSource from) const {
    return role_ == DtlsRole::kClient || from == DtlsSource::kProved ? Endpoint{} : source;
  }
  // Adds a handshake for a hello that none has, or responds with what is needed first.
  void accept_hello(Time now, const Endpoint& source, DtlsSource from, const ClientHello& hello,
                    Bytes datagram);
  bool may_begin(Time now, const Endpoint& source, DtlsSource from, const ClientHello& hello,
                 bool has_cookie);
  bool make_room(Time now, const Endpoint& source, DtlsSource from);
  void feed(Time now, const Endpoint& source, Bytes datagram);
  void say_again(Time now, const Endpoint& source, Bytes datagram);
  void keep_only(Handshake& done);
  void drop_failed(Time now);

  const DtlsContext& context_;
  const DtlsRole role_;
  const CertificateFingerprints peer_;
  const Budgets budgets_;
  const HelloCookies cookies_;
  std::vector<Handshake> handshakes_;  // under way
  std::optional<Handshake> done_;      // whose keys are used
  unsigned handshakes_done_ = 0;
  bool may_begin_ = true;    // the peer
  bool is_to_begin_ = true;  // we, as the client
  PerSecond free_{DtlsSession::kMaxAttemptsPerSecond};
  PerSecond of_peer_{DtlsSession::kMaxAttemptsPerSecond};
  PerSecond of_candidates_{DtlsSession::kMaxAttemptsPerSecond};
  bool has_begun_ = false;
  Flight flight_;
  ThreadCheck thread_check_{"DtlsAssociation"};
};

}  // namespace vas::media
