// What all DTLS associations of the process share: one certificate, one set of rules. (RFC 5763 §5; RFC 8122)
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <openssl/types.h>

#include "vas/base/bytes.h"
#include "vas/base/result.h"

namespace vas::media {

// A certificate's hash, as `a=fingerprint` has it: "sha-256 4A:AD:B9:…". SHA-256 and better are taken.
class CertificateFingerprint {
 public:
  static std::optional<CertificateFingerprint> parse(std::string_view text);
  static CertificateFingerprint of(X509* certificate);  // by SHA-256

  bool matches(X509* certificate) const;
  std::string text() const;
  friend bool operator==(const CertificateFingerprint&, const CertificateFingerprint&) = default;

 private:
  std::string hash_;    // "sha-256"
  std::string digest_;  // bytes
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
