#include "media/srtp/client_hello.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "base/check.h"
#include "base/random.h"

namespace vas::media {
namespace {

// Types of records (RFC 5246 §6.2.1).
constexpr std::uint8_t kChangeCipherSpec = 20, kHandshake = 22;
// Types of handshake messages (RFC 6347 §4.3.2).
constexpr std::uint8_t kClientHello = 1, kHelloVerifyRequest = 3;
// Headers of a record and of a handshake message (RFC 6347 §4.1, §4.2.2).
constexpr std::size_t kRecordBytes = 13, kHandshakeBytes = 12;
constexpr std::array<std::uint8_t, 2> kDtls10{0xfe, 0xff};  // of every HelloVerifyRequest (§4.2.1)

std::size_t load_u24(Bytes bytes, std::size_t at) {
  return std::size_t{bytes[at]} << 16 | load_u16(bytes, at + 1);
}

// One byte of length, and as many bytes.
std::optional<Bytes> short_vector(Bytes bytes, std::size_t at) {
  if (bytes.size() <= at || bytes.size() < at + 1 + bytes[at]) return {};
  return bytes.subspan(at + 1, bytes[at]);
}

}  // namespace

std::optional<ClientHello> ClientHello::parse(Bytes datagram) {
  // Both headers, the version and the random: before the first field whose length varies.
  constexpr std::size_t kFixed = kRecordBytes + kHandshakeBytes + 2 + kRandomBytes;
  const bool is_plain_handshake = datagram.size() >= kFixed && datagram[0] == kHandshake &&
                                  datagram[1] == 0xfe && load_u16(datagram, 3) == 0;
  if (!is_plain_handshake || datagram[kRecordBytes] != kClientHello) return {};
  const std::size_t record = load_u16(datagram, 11);
  const Bytes message = datagram.subspan(kRecordBytes, std::min(record, datagram.size() - kRecordBytes));
  if (message.size() < record || record < kFixed - kRecordBytes || load_u24(message, 6) != 0) return {};

  // Where the session id stands in the message.
  constexpr std::size_t kSession = kHandshakeBytes + 2 + kRandomBytes;
  const auto session = short_vector(message, kSession);
  const auto cookie =
      session ? short_vector(message, kSession + 1 + session->size()) : std::optional<Bytes>{};
  if (!cookie) return {};
  return ClientHello{.record_sequence = datagram.subspan(5, 6),
                     .random = message.subspan(kHandshakeBytes + 2, kRandomBytes),
                     .cookie = *cookie,
                     .is_whole = load_u24(message, 1) == load_u24(message, 9) &&
                                 load_u24(message, 9) == record - kHandshakeBytes};
}

bool may_be_handshake(Bytes datagram) {
  constexpr std::size_t kShortestSealed = 16 + 1;  // AEAD's tag, and a byte
  while (datagram.size() >= kRecordBytes) {
    const std::size_t bytes = load_u16(datagram, 11);
    const bool is_sealed = load_u16(datagram, 3) != 0;
    if (datagram[0] != kHandshake && datagram[0] != kChangeCipherSpec) return false;
    if (is_sealed && bytes < kShortestSealed) return false;
    if (datagram.size() - kRecordBytes < bytes) return false;
    datagram = datagram.subspan(kRecordBytes + bytes);
  }
  return datagram.empty();
}

HelloCookies::HelloCookies() { fill_random(key_); }

HelloCookies::Cookie HelloCookies::cookie_of(const Endpoint& source, const ClientHello& hello) const {
  std::array<std::uint8_t, 16 + 2 + ClientHello::kRandomBytes> covered{};
  std::copy(source.address.bytes.begin(), source.address.bytes.end(), covered.begin());
  store_u16(covered, 16, source.port);
  std::copy(hello.random.begin(), hello.random.end(), covered.begin() + 18);
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> mac{};
  unsigned length = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), covered.data(), covered.size(), mac.data(),
       &length);
  VAS_CHECK(length >= kCookieBytes, "OpenSSL has SHA-256");
  Cookie cookie{};
  std::copy_n(mac.begin(), cookie.size(), cookie.begin());
  return cookie;
}

bool HelloCookies::is_right(const Endpoint& source, const ClientHello& hello) const {
  if (hello.cookie.size() != kCookieBytes || !hello.is_whole) return false;
  return CRYPTO_memcmp(cookie_of(source, hello).data(), hello.cookie.data(), kCookieBytes) == 0;
}

std::vector<std::uint8_t> HelloCookies::request(const Endpoint& source, const ClientHello& hello) const {
  // Version, length of the cookie, cookie (RFC 6347 §4.2.1).
  constexpr std::size_t kBody = 2 + 1 + kCookieBytes;
  std::vector<std::uint8_t> datagram(kRecordBytes + kHandshakeBytes + kBody);
  datagram[0] = kHandshake;
  std::copy(kDtls10.begin(), kDtls10.end(), datagram.begin() + 1);
  // The hello's own record number: nothing is remembered to count by.
  std::copy(hello.record_sequence.begin(), hello.record_sequence.end(), datagram.begin() + 5);
  store_u16(datagram, 11, kHandshakeBytes + kBody);
  const auto message = datagram.begin() + kRecordBytes;
  message[0] = kHelloVerifyRequest;
  message[3] = message[11] = kBody;
  std::copy(kDtls10.begin(), kDtls10.end(), message + kHandshakeBytes);
  message[kHandshakeBytes + 2] = kCookieBytes;
  const Cookie cookie = cookie_of(source, hello);
  std::copy(cookie.begin(), cookie.end(), message + kHandshakeBytes + 3);
  return datagram;
}

}  // namespace vas::media
