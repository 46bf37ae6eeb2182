#include "media/srtp/dtls_context.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/random.h"
#include "base/text.h"
#include "base/tls_groups.h"
#include "media/srtp/srtp_suite.h"

namespace vas::media {
namespace {

struct Hash {
  std::string_view name;  // RFC 8122 §5
  const EVP_MD* (*algorithm)();
};
constexpr std::array<Hash, 3> kHashes{
    {{"sha-256", EVP_sha256}, {"sha-384", EVP_sha384}, {"sha-512", EVP_sha512}}};

const Hash* hash_named(std::string_view name) {
  const auto found = std::find_if(kHashes.begin(), kHashes.end(),
                                  [&](const Hash& each) { return equals_ignoring_case(each.name, name); });
  return found == kHashes.end() ? nullptr : &*found;
}

std::string digest_of(X509* certificate, const EVP_MD* algorithm) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  VAS_CHECK(X509_digest(certificate, algorithm, digest.data(), &length) == 1, "OpenSSL has the hash");
  return {digest.begin(), digest.begin() + length};
}

template <typename Object, void (*free)(Object*)>
struct Freed {
  void operator()(Object* object) const { free(object); }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509, X509_free>>;

Certificate self_signed(EVP_PKEY* key) {
  constexpr long kYesterday = -24L * 3600,
                 kNextYear = 366L * 24 * 3600;  // nobody checks: the fingerprint counts
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), random_u64() >> 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), kYesterday);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kNextYear);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("vas"), -1, -1,
                             0);
  X509_set_issuer_name(certificate.get(), name);
  X509_set_pubkey(certificate.get(), key);
  if (X509_sign(certificate.get(), key, EVP_sha256()) == 0) return nullptr;
  return certificate;
}

// Whether it is the right certificate is asked when the handshake is done: it is self-signed, and its
// fingerprint may come later than it does.
int accept_any(int, X509_STORE_CTX*) { return 1; }

// Nobody's hello comes this far without a cookie that was looked at before (client_hello.h).
int accept_cookie(SSL*, const unsigned char*, unsigned) { return 1; }
int make_no_cookie(SSL*, unsigned char*, unsigned*) { return 0; }

std::string profiles() {
  std::string names;
  for (const SrtpSuiteShape& each : srtp_suites())
    names += (names.empty() ? "" : ":") + std::string(each.dtls_name);
  return names;
}

}  // namespace

std::optional<CertificateFingerprint> CertificateFingerprint::parse(std::string_view text) {
  const auto blank = text.find(' ');
  const Hash* hash = hash_named(text.substr(0, blank));
  if (blank == std::string_view::npos || hash == nullptr) return {};
  CertificateFingerprint fingerprint;
  fingerprint.hash_ = hash->name;
  for (const std::string_view pair : split(trim(text.substr(blank + 1)), ':')) {
    const auto value = pair.size() == 2 ? parse_number<std::uint8_t>(pair, 16) : std::nullopt;
    if (!value) return {};
    fingerprint.digest_ += static_cast<char>(*value);
  }
  if (fingerprint.digest_.size() != static_cast<std::size_t>(EVP_MD_get_size(hash->algorithm()))) return {};
  return fingerprint;
}

CertificateFingerprint CertificateFingerprint::of(X509* certificate) {
  CertificateFingerprint fingerprint;
  fingerprint.hash_ = kHashes[0].name;
  fingerprint.digest_ = digest_of(certificate, kHashes[0].algorithm());
  return fingerprint;
}

bool CertificateFingerprint::matches(X509* certificate) const {
  const Hash* hash = hash_named(hash_);
  if (hash == nullptr || certificate == nullptr) return false;
  const std::string digest = digest_of(certificate, hash->algorithm());
  return digest.size() == digest_.size() && CRYPTO_memcmp(digest.data(), digest_.data(), digest.size()) == 0;
}

std::string CertificateFingerprint::text() const {
  std::string text = hash_;
  for (std::size_t i = 0; i < digest_.size(); ++i)
    text += fmt::format("{}{:02X}", i == 0 ? ' ' : ':', static_cast<unsigned char>(digest_[i]));
  return text;
}

void CertificateFingerprints::add(CertificateFingerprint fingerprint) {
  const auto place = std::lower_bound(all_.begin(), all_.end(), fingerprint);
  const bool is_there = place != all_.end() && *place == fingerprint;
  if (!is_there && all_.size() < kMost) all_.insert(place, std::move(fingerprint));
}

bool CertificateFingerprints::matches(X509* certificate) const {
  return std::any_of(all_.begin(), all_.end(),
                     [&](const CertificateFingerprint& each) { return each.matches(certificate); });
}

Result<std::unique_ptr<DtlsContext>> DtlsContext::make() {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate = key != nullptr ? self_signed(key.get()) : nullptr;
  SSL_CTX* context = SSL_CTX_new(DTLS_method());
  const bool is_made = certificate != nullptr && context != nullptr &&
                       SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1 &&
                       SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL") == 1 &&
                       SSL_CTX_set1_groups_list(context, kTlsGroups) == 1 &&
                       SSL_CTX_use_certificate(context, certificate.get()) == 1 &&
                       SSL_CTX_use_PrivateKey(context, key.get()) == 1 &&
                       SSL_CTX_set_tlsext_use_srtp(context, profiles().c_str()) == 0;  // 0 is success here
  if (!is_made) {
    SSL_CTX_free(context);
    return Error{"OpenSSL cannot make what DTLS-SRTP needs"};
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
  SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_cookie_verify_cb(context, accept_cookie);
  SSL_CTX_set_cookie_generate_cb(context, make_no_cookie);
  return std::unique_ptr<DtlsContext>(
      new DtlsContext(context, CertificateFingerprint::of(certificate.get())));
}

DtlsContext::~DtlsContext() { SSL_CTX_free(context_); }

}  // namespace vas::media
