#include "vas/secrets/sealer.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "base/base64.h"
#include "base/check.h"
#include "base/random.h"

namespace vas::secrets {
namespace {

constexpr std::string_view kPrefix = "sealed1:";
constexpr std::size_t kKeyIdDigits = 16;
// Each sealed value has a salt for its own key; nonce and tag are AES-GCM's (NIST SP 800-38D).
constexpr std::size_t kSaltBytes = 12, kNonceBytes = 12, kTagBytes = 16;
constexpr std::size_t kOverhead = kSaltBytes + kNonceBytes + kTagBytes;

using Bytes = std::span<const std::uint8_t>;

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* cipher) const { EVP_CIPHER_CTX_free(cipher); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

const std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

Key hmac(const Key& key, Bytes text) {
  Key digest{};
  unsigned length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), text.data(), text.size(), digest.data(),
       &length);
  VAS_CHECK(length == digest.size(), "no memory, or an OpenSSL without SHA-256");
  return digest;
}
Key hmac(const Key& key, std::string_view text) { return hmac(key, Bytes(bytes_of(text), text.size())); }

std::string hex(Bytes bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t each : bytes) {
    text += kDigits[each >> 4];
    text += kDigits[each & 15];
  }
  return text;
}

}  // namespace

Sealer::Sealer(const Key& key)
    : sealing_key_(hmac(key, "vas: sealing")),
      hash_key_(hmac(key, "vas: hash")),
      key_id_(hex(hmac(key, "vas: key id")).substr(0, kKeyIdDigits)) {}

bool Sealer::is_sealed(std::string_view text) { return text.starts_with(kPrefix); }

std::string Sealer::hash(std::string_view text) const { return hex(hmac(hash_key_, text)); }

std::string Sealer::seal(std::string_view text, std::string_view place) const {
  std::vector<std::uint8_t> out(kOverhead + text.size());
  fill_random({out.data(), kSaltBytes + kNonceBytes});
  const Key key = hmac(sealing_key_, Bytes(out.data(), kSaltBytes));
  const Cipher cipher(EVP_CIPHER_CTX_new());
  std::uint8_t* const body = out.data() + kSaltBytes + kNonceBytes;
  int length = 0;
  const bool is_sealed =
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), out.data() + kSaltBytes) ==
          1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &length, bytes_of(place), static_cast<int>(place.size())) ==
          1 &&
      EVP_EncryptUpdate(cipher.get(), body, &length, bytes_of(text), static_cast<int>(text.size())) == 1 &&
      EVP_EncryptFinal_ex(cipher.get(), body + text.size(), &length) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, body + text.size()) == 1;
  VAS_CHECK(is_sealed, "no memory: nothing that a peer could bring about");
  return std::string(kPrefix) + key_id_ + ":" + to_base64(out);
}

std::optional<std::string> Sealer::open(std::string_view sealed, std::string_view place) const {
  const std::string start = std::string(kPrefix) + key_id_ + ":";
  if (!sealed.starts_with(start)) return {};
  auto in = from_base64(sealed.substr(start.size()));
  if (!in || in->size() < kOverhead) return {};
  const Key key = hmac(sealing_key_, Bytes(in->data(), kSaltBytes));
  const Cipher cipher(EVP_CIPHER_CTX_new());
  const std::uint8_t* const body = in->data() + kSaltBytes + kNonceBytes;
  std::string text(in->size() - kOverhead, '\0');
  auto* const out = reinterpret_cast<std::uint8_t*>(text.data());
  int length = 0;
  const bool is_open =
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), in->data() + kSaltBytes) ==
          1 &&
      EVP_DecryptUpdate(cipher.get(), nullptr, &length, bytes_of(place), static_cast<int>(place.size())) ==
          1 &&
      EVP_DecryptUpdate(cipher.get(), out, &length, body, static_cast<int>(text.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes,
                          in->data() + in->size() - kTagBytes) == 1 &&
      EVP_DecryptFinal_ex(cipher.get(), out + text.size(), &length) == 1;
  if (!is_open) return {};
  return text;
}

}  // namespace vas::secrets
