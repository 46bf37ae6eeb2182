#include "media/srtp/srtp_key_derivation.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "base/check.h"

namespace vas::media {
namespace {

// AES in counter mode over zeros, from where the label says: the key derivation rate is always 0.
void derive(const SrtpKey& master, std::uint8_t label, MutableBytes out) {
  std::array<std::uint8_t, 16> counter{};
  std::copy(master.salt().begin(), master.salt().end(), counter.begin());
  counter[7] ^= label;
  const EVP_CIPHER* cipher = master.key().size() == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr();
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                EVP_CIPHER_CTX_free);
  int written = 0;
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  const bool is_done =
      context != nullptr &&
      EVP_EncryptInit_ex2(context.get(), cipher, master.key().data(), counter.data(), nullptr) == 1 &&
      EVP_EncryptUpdate(context.get(), out.data(), &written, out.data(), static_cast<int>(out.size())) == 1;
  VAS_CHECK(is_done, "OpenSSL has AES in counter mode");
}

}  // namespace

SrtpSessionKeys::~SrtpSessionKeys() {
  OPENSSL_cleanse(cipher.data(), cipher.size());
  OPENSSL_cleanse(auth.data(), auth.size());
  OPENSSL_cleanse(salt.data(), salt.size());
}

SrtpSessionKeys derive_session_keys(const SrtpKey& master, SrtpKeyUse use) {
  const SrtpSuiteShape& shape = shape_of(master.suite());
  const auto first_label = static_cast<std::uint8_t>(use);
  SrtpSessionKeys keys;
  derive(master, first_label, MutableBytes(keys.cipher).first(shape.key_bytes));
  derive(master, static_cast<std::uint8_t>(first_label + 1), keys.auth);
  derive(master, static_cast<std::uint8_t>(first_label + 2), MutableBytes(keys.salt).first(shape.salt_bytes));
  return keys;
}

}  // namespace vas::media
