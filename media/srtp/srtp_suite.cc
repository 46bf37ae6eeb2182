#include "media/srtp/srtp_suite.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "base/random.h"

namespace vas::media {
namespace {

constexpr std::array<SrtpSuiteShape, 4> kSuites{{
    {SrtpSuite::kAeadAes128Gcm, "AEAD_AES_128_GCM", "SRTP_AEAD_AES_128_GCM", 16, 12, 16, 16, true},
    {SrtpSuite::kAeadAes256Gcm, "AEAD_AES_256_GCM", "SRTP_AEAD_AES_256_GCM", 32, 12, 16, 16, true},
    {SrtpSuite::kAesCm128HmacSha1_80, "AES_CM_128_HMAC_SHA1_80", "SRTP_AES128_CM_SHA1_80", 16, 14, 10, 10,
     false},
    {SrtpSuite::kAesCm128HmacSha1_32, "AES_CM_128_HMAC_SHA1_32", "SRTP_AES128_CM_SHA1_32", 16, 14, 4, 10,
     false},
}};

}  // namespace

std::span<const SrtpSuiteShape> srtp_suites() { return kSuites; }

const SrtpSuiteShape& shape_of(SrtpSuite suite) {
  return *std::find_if(kSuites.begin(), kSuites.end(), [&](const auto& each) { return each.suite == suite; });
}

std::optional<SrtpSuite> srtp_suite_named(std::string_view name) {
  const auto found =
      std::find_if(kSuites.begin(), kSuites.end(), [&](const auto& each) { return each.name == name; });
  if (found == kSuites.end()) return {};
  return found->suite;
}

std::optional<SrtpKey> SrtpKey::from(SrtpSuite suite, Bytes master) {
  if (master.size() != shape_of(suite).master_bytes()) return {};
  SrtpKey key(suite);
  std::copy(master.begin(), master.end(), key.bytes_.begin());
  return key;
}

SrtpKey SrtpKey::random(SrtpSuite suite) {
  SrtpKey key(suite);
  fill_random(MutableBytes(key.bytes_).first(shape_of(suite).master_bytes()));
  return key;
}

SrtpKey SrtpKey::named(MasterKeyIdentifier identifier) const {
  SrtpKey key = *this;
  key.identifier_ = identifier;
  return key;
}

SrtpKey::~SrtpKey() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

}  // namespace vas::media
