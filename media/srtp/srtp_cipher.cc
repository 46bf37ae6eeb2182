#include "media/srtp/srtp_cipher.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>

#include "base/check.h"

namespace vas::media {
namespace {

const EVP_CIPHER* cipher_of(const SrtpSuiteShape& shape) {
  if (!shape.is_aead) return EVP_aes_128_ctr();
  return shape.key_bytes == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
}

EVP_MAC_CTX* make_mac(Bytes key) {
  EVP_MAC* hmac = EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr);
  EVP_MAC_CTX* context = EVP_MAC_CTX_new(hmac);
  EVP_MAC_free(hmac);
  char digest[] = "SHA1";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  VAS_CHECK(context != nullptr && EVP_MAC_init(context, key.data(), key.size(), parameters) == 1,
            "OpenSSL has HMAC with SHA-1");
  return context;
}

int int_size(Bytes bytes) { return static_cast<int>(bytes.size()); }

template <std::size_t kBytes>
void mix(std::array<std::uint8_t, kBytes>& into, std::size_t end, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i)
    into[end - 1 - i] = static_cast<std::uint8_t>(into[end - 1 - i] ^ (value >> (8 * i)));
}

}  // namespace

void SrtpCipher::FreeCipher::operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
void SrtpCipher::FreeMac::operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }

SrtpCipher::SrtpCipher(SrtpSuite suite, SrtpKeyUse use, const SrtpSessionKeys& keys, Direction direction)
    : is_aead_(shape_of(suite).is_aead),
      tag_bytes_(use == SrtpKeyUse::kRtp ? shape_of(suite).rtp_tag_bytes : shape_of(suite).rtcp_tag_bytes),
      salt_(keys.salt),
      cipher_(EVP_CIPHER_CTX_new()) {
  // In counter mode both directions are one.
  const int encrypts = direction == Direction::kSeal || !is_aead_ ? 1 : 0;
  VAS_CHECK(cipher_ != nullptr && EVP_CipherInit_ex2(cipher_.get(), cipher_of(shape_of(suite)),
                                                     keys.cipher.data(), nullptr, encrypts, nullptr) == 1,
            "OpenSSL has the suite's cipher");
  if (!is_aead_) mac_.reset(make_mac(keys.auth));
}

SrtpCipher::~SrtpCipher() { OPENSSL_cleanse(salt_.data(), salt_.size()); }

// RFC 3711 §4.1.1: (salt * 2^16) XOR (SSRC * 2^64) XOR (index * 2^16)
std::array<std::uint8_t, 16> SrtpCipher::counter_of(Ssrc ssrc, std::uint64_t index) const {
  std::array<std::uint8_t, 16> counter{};
  std::copy(salt_.begin(), salt_.end(), counter.begin());
  mix(counter, 8, ssrc.value, 4);
  mix(counter, 14, index, 6);
  return counter;
}

// RFC 7714 §8.1 and §9.1: two zero bytes, SSRC, index (48 bits, of SRTCP 31), XOR salt.
std::array<std::uint8_t, 12> SrtpCipher::nonce_of(Ssrc ssrc, std::uint64_t index) const {
  std::array<std::uint8_t, 12> nonce{};
  std::copy_n(salt_.begin(), nonce.size(), nonce.begin());
  mix(nonce, 6, ssrc.value, 4);
  mix(nonce, 12, index, 6);
  return nonce;
}

void SrtpCipher::count(MutableBytes payload, Ssrc ssrc, std::uint64_t index) {
  const auto counter = counter_of(ssrc, index);
  int written = 0;
  EVP_CipherInit_ex2(cipher_.get(), nullptr, nullptr, counter.data(), -1, nullptr);
  EVP_CipherUpdate(cipher_.get(), payload.data(), &written, payload.data(), int_size(payload));
}

std::array<std::uint8_t, SrtpSessionKeys::kAuthBytes> SrtpCipher::mac_of(Bytes packet, Bytes trailer) {
  std::array<std::uint8_t, SrtpSessionKeys::kAuthBytes> mac{};
  std::size_t written = 0;
  EVP_MAC_init(mac_.get(), nullptr, 0, nullptr);
  EVP_MAC_update(mac_.get(), packet.data(), packet.size());
  EVP_MAC_update(mac_.get(), trailer.data(), trailer.size());
  EVP_MAC_final(mac_.get(), mac.data(), &written, mac.size());
  return mac;
}

void SrtpCipher::seal(PacketBuffer& packet, std::size_t header_bytes, Ssrc ssrc, std::uint64_t index,
                      Bytes trailer) {
  const std::size_t plain_bytes = packet.size();
  packet.resize(plain_bytes + tag_bytes_);
  const MutableBytes plain = packet.bytes().first(plain_bytes);
  const MutableBytes tag = packet.bytes().subspan(plain_bytes);
  const MutableBytes payload = plain.subspan(header_bytes);
  if (!is_aead_) {
    count(payload, ssrc, index);
    const auto mac = mac_of(plain, trailer);
    std::copy_n(mac.begin(), tag.size(), tag.begin());
    return;
  }
  const auto nonce = nonce_of(ssrc, index);
  int written = 0;
  EVP_CipherInit_ex2(cipher_.get(), nullptr, nullptr, nonce.data(), -1, nullptr);
  EVP_CipherUpdate(cipher_.get(), nullptr, &written, plain.data(), static_cast<int>(header_bytes));
  if (!trailer.empty()) EVP_CipherUpdate(cipher_.get(), nullptr, &written, trailer.data(), int_size(trailer));
  EVP_CipherUpdate(cipher_.get(), payload.data(), &written, payload.data(), int_size(payload));
  EVP_CipherFinal_ex(cipher_.get(), tag.data(), &written);
  EVP_CIPHER_CTX_ctrl(cipher_.get(), EVP_CTRL_AEAD_GET_TAG, int_size(tag), tag.data());
}

bool SrtpCipher::open(PacketBuffer& packet, std::size_t header_bytes, Ssrc ssrc, std::uint64_t index,
                      Bytes trailer) {
  const std::size_t plain_bytes = packet.size() - tag_bytes_;
  const MutableBytes sealed = packet.bytes().first(plain_bytes);
  const MutableBytes tag = packet.bytes().subspan(plain_bytes);
  const MutableBytes payload = sealed.subspan(header_bytes);
  bool is_genuine = false;
  if (!is_aead_) {
    const auto mac = mac_of(sealed, trailer);
    is_genuine = CRYPTO_memcmp(mac.data(), tag.data(), tag.size()) == 0;
    if (is_genuine) count(payload, ssrc, index);
  } else {
    const auto nonce = nonce_of(ssrc, index);
    int written = 0;
    EVP_CipherInit_ex2(cipher_.get(), nullptr, nullptr, nonce.data(), -1, nullptr);
    EVP_CIPHER_CTX_ctrl(cipher_.get(), EVP_CTRL_AEAD_SET_TAG, int_size(tag), tag.data());
    EVP_CipherUpdate(cipher_.get(), nullptr, &written, sealed.data(), static_cast<int>(header_bytes));
    if (!trailer.empty())
      EVP_CipherUpdate(cipher_.get(), nullptr, &written, trailer.data(), int_size(trailer));
    EVP_CipherUpdate(cipher_.get(), payload.data(), &written, payload.data(), int_size(payload));
    is_genuine = EVP_CipherFinal_ex(cipher_.get(), tag.data(), &written) == 1;
  }
  if (is_genuine) packet.resize(plain_bytes);
  return is_genuine;
}

}  // namespace vas::media
