// One DTLS association, which is there to agree on SRTP keys and for nothing else. (RFC 5764, RFC 6347)
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <openssl/types.h>

#include "base/per_second.h"
#include "base/thread_check.h"
#include "media/srtp/dtls_context.h"
#include "media/srtp/srtp_suite.h"

namespace vas::media {

enum class DtlsRole : std::uint8_t { kClient, kServer };  // `a=setup:active`, `passive`

struct DtlsKeys {
  SrtpKey inbound;   // what the peer sends under
  SrtpKey outbound;  // what we send under
};

// Bytes in, bytes out: it opens no socket. Whose datagrams it is given is its owner's affair (ICE, or the
// address in SDP). Before the handshake is done what is wrong ends the attempt only: the next ClientHello
// begins anew. After it nothing ends it: keys that are agreed stay.
//
// Threads: its leg's media worker only.
// Bounds:  kMaxAttemptsPerSecond handshakes that come to nothing; beyond them datagrams are dropped. A flight
//          has at most kMaxFlight datagrams, however often a peer asks for it in one of its own.
class DtlsSession {
 public:
  // A peer repeats its hello after a second or more; ten are a peer in trouble, and cheap.
  static constexpr int kMaxAttemptsPerSecond = 10;
  // Within every path's MTU, IPv6's least (1280) with its headers among them.
  static constexpr std::size_t kMaxDatagram = 1200;
  static constexpr std::size_t kMaxFlight = 6;  // datagrams; ours need two

  // Lifetime: `context` outlives it.
  DtlsSession(const DtlsContext& context, DtlsRole role, CertificateFingerprints peer);
  ~DtlsSession();
  DtlsSession(const DtlsSession&) = delete;
  DtlsSession& operator=(const DtlsSession&) = delete;

  // What is to be sent, a datagram each; borrowed until the next call.
  using Flight = std::vector<std::vector<std::uint8_t>>;
  const Flight& start(Time now);  // a client's first
  const Flight& on_datagram(Time now, Bytes datagram);
  // A server's first datagram, a whole ClientHello with the cookie of a HelloVerifyRequest.
  const Flight& on_verified_hello(Time now, Bytes hello);
  // To be called now and then while it is not done: sends again what was lost.
  const Flight& on_time(Time now);

  // The next datagram begins an attempt: it costs what a handshake costs.
  bool is_fresh() const { return !keys_ && !has_begun_; }

  // Set once, when the handshake is done and the peer's certificate is one whose fingerprint we know.
  const std::optional<DtlsKeys>& keys() const { return keys_; }

 private:
  void begin_attempt();
  void advance(Time now);
  void give_up_attempt(Time now);
  void export_keys(Time now);
  const Flight& collect();

  const DtlsContext& context_;
  const DtlsRole role_;
  const CertificateFingerprints peer_;
  SSL* ssl_ = nullptr;
  BIO* incoming_ = nullptr;  // both are the SSL's
  BIO* outgoing_ = nullptr;
  Flight flight_;
  std::optional<DtlsKeys> keys_;
  bool has_begun_ = false;  // this attempt: a datagram of the peer was worked on
  PerSecond attempts_{kMaxAttemptsPerSecond};
  ThreadCheck thread_check_{"DtlsSession"};
};

}  // namespace vas::media
