#include "vas/webhooks/signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "vas/base/bytes.h"

namespace vas::webhooks {

std::string signature(std::string_view secret, std::string_view id, std::string_view timestamp,
                      std::string_view body) {
  std::string signed_text(id);
  signed_text.append(".").append(timestamp).append(".").append(body);
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> mac{};
  unsigned length = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), as_bytes(signed_text).data(),
       signed_text.size(), mac.data(), &length);
  std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> base64{};
  EVP_EncodeBlock(base64.data(), mac.data(), static_cast<int>(length));
  return "v1," + std::string(reinterpret_cast<const char*>(base64.data()));
}

}  // namespace vas::webhooks
