// What all DTLS associations of the process share: one certificate, one set of rules. (RFC 5763 §5; RFC 8122)
#pragma once

#include <compare>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/types.h>

#include "base/bytes.h"
#include "base/result.h"

namespace vas::media {

// A certificate's hash, as `a=fingerprint` has it: "sha-256 4A:AD:B9:…". SHA-256 and better are taken: of
// weaker ones it may be possible to make a certificate that fits.
class CertificateFingerprint {
 public:
  static std::optional<CertificateFingerprint> parse(std::string_view text);
  static CertificateFingerprint of(X509* certificate);  // by SHA-256

  bool matches(X509* certificate) const;
  std::string text() const;
  friend auto operator<=>(const CertificateFingerprint&, const CertificateFingerprint&) = default;

 private:
  std::string hash_;    // "sha-256"
  std::string digest_;  // bytes
};

// Those that a party names: one certificate under several hashes, or several certificates, of which it has
// one (RFC 8122 §5). In which order it named them means nothing.
//
// Bounds: kMost; what is beyond them is passed over.
class CertificateFingerprints {
 public:
  // One for each hash that a certificate is told by (RFC 8122 §5): there are no more hashes than that.
  static constexpr std::size_t kMost = 8;

  CertificateFingerprints() = default;
  CertificateFingerprints(CertificateFingerprint one) {  // NOLINT: implicit by intent
    add(std::move(one));
  }

  void add(CertificateFingerprint fingerprint);
  bool matches(X509* certificate) const;
  bool is_empty() const { return all_.empty(); }
  const std::vector<CertificateFingerprint>& all() const { return all_; }
  friend bool operator==(const CertificateFingerprints&, const CertificateFingerprints&) = default;

 private:
  std::vector<CertificateFingerprint> all_;  // sorted
};

// Threads: made by one, then read by all media workers.
class DtlsContext {
 public:
  // With a fresh self-signed certificate, ECDSA on P-256: who we are is said by its fingerprint in SDP alone.
  static Result<std::unique_ptr<DtlsContext>> make();
  ~DtlsContext();
  DtlsContext(const DtlsContext&) = delete;
  DtlsContext& operator=(const DtlsContext&) = delete;

  SSL_CTX* get() const { return context_; }
  const CertificateFingerprint& fingerprint() const { return fingerprint_; }

 private:
  DtlsContext(SSL_CTX* context, CertificateFingerprint fingerprint)
      : context_(context), fingerprint_(std::move(fingerprint)) {}

  SSL_CTX* context_;
  CertificateFingerprint fingerprint_;
};

}  // namespace vas::media
