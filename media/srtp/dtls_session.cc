#include "media/srtp/dtls_session.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>

#include "base/check.h"

namespace vas::media {
namespace {

constexpr std::string_view kExporterLabel = "EXTRACTOR-dtls_srtp";  // RFC 5764 §4.2
// RFC 6347 §4.1.
constexpr std::size_t kRecordHeaderBytes = 13;
// RFC 5246 §6.2.1.
constexpr std::uint8_t kAlert = 21;
constexpr unsigned kFirstTimeoutUs = 400'000;

// The first retransmission of RFC 6347 §4.2.4.1 is after 1 s: too long for somebody who has just responded.
unsigned retransmit_after(SSL*, unsigned before_us) {
  return before_us == 0 ? kFirstTimeoutUs : 2 * before_us;
}

const SrtpSuiteShape* chosen_suite(SSL* ssl) {
  const SRTP_PROTECTION_PROFILE* profile = SSL_get_selected_srtp_profile(ssl);
  if (profile == nullptr) return nullptr;
  const auto suites = srtp_suites();
  const auto found = std::find_if(suites.begin(), suites.end(), [&](const SrtpSuiteShape& each) {
    return each.dtls_name == profile->name;
  });
  return found == suites.end() ? nullptr : &*found;
}

}  // namespace

DtlsSession::DtlsSession(const DtlsContext& context, DtlsRole role, CertificateFingerprints peer)
    : context_(context), role_(role), peer_(std::move(peer)) {
  begin_attempt();
}

DtlsSession::~DtlsSession() { SSL_free(ssl_); }

void DtlsSession::begin_attempt() {
  has_begun_ = false;
  SSL_free(ssl_);
  ssl_ = SSL_new(context_.get());
  incoming_ = BIO_new(BIO_s_mem());
  outgoing_ = BIO_new(BIO_s_mem());
  VAS_CHECK(ssl_ != nullptr && incoming_ != nullptr && outgoing_ != nullptr, "there is memory");
  BIO_set_mem_eof_return(incoming_, -1);
  BIO_set_mem_eof_return(outgoing_, -1);
  SSL_set_bio(ssl_, incoming_, outgoing_);
  SSL_set_mtu(ssl_, kMaxDatagram);
  DTLS_set_timer_cb(ssl_, retransmit_after);
  role_ == DtlsRole::kClient ? SSL_set_connect_state(ssl_) : SSL_set_accept_state(ssl_);
}

const DtlsSession::Flight& DtlsSession::start(Time now) {
  thread_check_.check();
  if (role_ == DtlsRole::kClient && !keys_) advance(now);
  return collect();
}

const DtlsSession::Flight& DtlsSession::on_datagram(Time now, Bytes datagram) {
  thread_check_.check();
  if (!keys_ && !attempts_.has_room(now)) return collect();
  (void)BIO_reset(incoming_);  // one datagram at a time: what the last one left was no whole record
  BIO_write(incoming_, datagram.data(), static_cast<int>(datagram.size()));
  if (!keys_) {
    has_begun_ = true;
    advance(now);
    return collect();
  }
  // The peer may not have heard our last flight; reading makes OpenSSL say it again. There is no data.
  std::array<char, 256> ignored{};
  (void)SSL_read(ssl_, ignored.data(), static_cast<int>(ignored.size()));
  ERR_clear_error();
  return collect();
}

// The SSL counts messages from the hello's on, as if it had sent the request itself;
// listening consumes the datagram.
const DtlsSession::Flight& DtlsSession::on_verified_hello(Time now, Bytes hello) {
  thread_check_.check();
  BIO_ADDR* const unused = BIO_ADDR_new();
  (void)BIO_reset(incoming_);
  BIO_write(incoming_, hello.data(), static_cast<int>(hello.size()));
  const bool is_taken = unused != nullptr && DTLSv1_listen(ssl_, unused) == 1;
  BIO_ADDR_free(unused);
  ERR_clear_error();
  if (is_taken) return on_datagram(now, hello);
  give_up_attempt(now);
  return collect();
}

const DtlsSession::Flight& DtlsSession::on_time(Time now) {
  thread_check_.check();
  if (!keys_ && DTLSv1_handle_timeout(ssl_) < 0) give_up_attempt(now);
  return collect();
}

void DtlsSession::advance(Time now) {
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) return export_keys(now);
  const int why = SSL_get_error(ssl_, result);
  ERR_clear_error();
  if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) give_up_attempt(now);
}

// What was wrong gets no response, not even an alert: whoever sent it may not be the peer.
void DtlsSession::give_up_attempt(Time now) {
  ERR_clear_error();
  (void)attempts_.draw(now);
  begin_attempt();
  if (role_ == DtlsRole::kClient) (void)SSL_do_handshake(ssl_);
}

void DtlsSession::export_keys(Time now) {
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  const SrtpSuiteShape* shape = chosen_suite(ssl_);
  if (shape == nullptr || !peer_.matches(certificate)) return give_up_attempt(now);

  // Client's key, server's key, client's salt, server's salt (RFC 5764 §4.2).
  std::array<std::uint8_t, 2 * SrtpKey::kMaxBytes> material{};
  const std::size_t bytes = 2 * shape->master_bytes();
  if (SSL_export_keying_material(ssl_, material.data(), bytes, kExporterLabel.data(), kExporterLabel.size(),
                                 nullptr, 0, 0) != 1)
    return give_up_attempt(now);
  const auto key_of = [&](std::size_t which) {
    std::array<std::uint8_t, SrtpKey::kMaxBytes> master{};
    const auto* keys = material.data() + which * shape->key_bytes;
    const auto* salts = material.data() + 2 * shape->key_bytes + which * shape->salt_bytes;
    std::copy_n(keys, shape->key_bytes, master.begin());
    std::copy_n(salts, shape->salt_bytes, master.begin() + static_cast<std::ptrdiff_t>(shape->key_bytes));
    SrtpKey key = *SrtpKey::from(shape->suite, Bytes(master).first(shape->master_bytes()));
    OPENSSL_cleanse(master.data(), master.size());
    return key;
  };
  const bool is_client = role_ == DtlsRole::kClient;
  keys_ = DtlsKeys{.inbound = key_of(is_client ? 1 : 0), .outbound = key_of(is_client ? 0 : 1)};
  OPENSSL_cleanse(material.data(), material.size());
}

// A memory BIO joins what was written; records are taken apart again, as many to a datagram as it holds.
// Alerts are not sent: what they would say is said by whoever can forge a datagram.
const DtlsSession::Flight& DtlsSession::collect() {
  flight_.clear();
  char* data = nullptr;
  const long size = BIO_get_mem_data(outgoing_, &data);
  Bytes rest(reinterpret_cast<const std::uint8_t*>(data), size > 0 ? static_cast<std::size_t>(size) : 0);
  while (rest.size() >= kRecordHeaderBytes) {
    const std::size_t record = kRecordHeaderBytes + load_u16(rest, kRecordHeaderBytes - 2);
    VAS_CHECK(record <= rest.size(), "OpenSSL writes whole records");
    if (rest[0] == kAlert) {
      rest = rest.subspan(record);
      continue;
    }
    if (flight_.empty() || flight_.back().size() + record > kMaxDatagram) {
      if (flight_.size() == kMaxFlight) break;
      flight_.emplace_back();
    }
    flight_.back().insert(flight_.back().end(), rest.begin(),
                          rest.begin() + static_cast<std::ptrdiff_t>(record));
    rest = rest.subspan(record);
  }
  (void)BIO_reset(outgoing_);
  return flight_;
}

}  // namespace vas::media
