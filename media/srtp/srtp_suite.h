// The crypto suites of SRTP that we speak, and their key material. (RFC 3711, RFC 7714; names RFC 4568 §6.2)
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace vas::media {

enum class SrtpSuite : std::uint8_t {
  kAesCm128HmacSha1_80,
  kAesCm128HmacSha1_32,
  kAeadAes128Gcm,
  kAeadAes256Gcm,
};

struct SrtpSuiteShape {
  SrtpSuite suite;
  std::string_view name;       // in `a=crypto`
  std::string_view dtls_name;  // as OpenSSL calls the protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2)
  std::size_t key_bytes;
  std::size_t salt_bytes;
  std::size_t rtp_tag_bytes;
  std::size_t rtcp_tag_bytes;  // _32 shortens RTP's only
  bool is_aead;

  constexpr std::size_t master_bytes() const { return key_bytes + salt_bytes; }
};

// Most wanted first.
std::span<const SrtpSuiteShape> srtp_suites();
const SrtpSuiteShape& shape_of(SrtpSuite suite);
std::optional<SrtpSuite> srtp_suite_named(std::string_view name);

// Names a master key in each packet under it, so that a sender may change to another (RFC 3711 §3.1). So many
// bytes, the value at their end.
struct MasterKeyIdentifier {
  static constexpr std::size_t kLongest = 128;  // RFC 4568 §9.2

  std::uint64_t value = 0;
  std::uint8_t bytes = 0;  // 0: packets carry none
  friend bool operator==(MasterKeyIdentifier, MasterKeyIdentifier) = default;
};

// A suite with its master key and, behind it, its master salt. Forgotten when it goes.
class SrtpKey {
 public:
  // Of AES-256: a key of 32 bytes and a salt of 14; the suites that there are take less.
  static constexpr std::size_t kMaxBytes = 46;

  // Nothing unless `master` is as long as the suite asks.
  static std::optional<SrtpKey> from(SrtpSuite suite, Bytes master);
  static SrtpKey random(SrtpSuite suite);

  SrtpKey(const SrtpKey&) = default;
  SrtpKey& operator=(const SrtpKey&) = default;
  ~SrtpKey();

  SrtpSuite suite() const { return suite_; }
  Bytes master() const { return Bytes(bytes_).first(shape_of(suite_).master_bytes()); }
  Bytes key() const { return master().first(shape_of(suite_).key_bytes); }
  Bytes salt() const { return master().subspan(shape_of(suite_).key_bytes); }
  MasterKeyIdentifier identifier() const { return identifier_; }
  SrtpKey named(MasterKeyIdentifier identifier) const;

  friend bool operator==(const SrtpKey&, const SrtpKey&) = default;

 private:
  explicit SrtpKey(SrtpSuite suite) : suite_(suite) {}

  SrtpSuite suite_;
  std::array<std::uint8_t, kMaxBytes> bytes_{};
  MasterKeyIdentifier identifier_;
};

}  // namespace vas::media
