#include "vas/webhooks/signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "base/base64.h"

namespace vas::webhooks {
namespace {

constexpr std::string_view kEncoded = "whsec_";

std::string signature(Bytes key, std::string_view signed_text) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> mac{};
  unsigned length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), as_bytes(signed_text).data(),
       signed_text.size(), mac.data(), &length);
  return "v1," + to_base64(Bytes(mac.data(), length));
}

}  // namespace

std::string signatures(const std::vector<std::string>& secrets, std::string_view id,
                       std::string_view timestamp, std::string_view body) {
  std::string signed_text(id);
  signed_text.append(".").append(timestamp).append(".").append(body);
  std::string all;
  for (const std::string_view secret : secrets) {
    const auto decoded =
        secret.starts_with(kEncoded) ? from_base64(secret.substr(kEncoded.size())) : std::nullopt;
    if (!all.empty()) all += ' ';
    all += signature(decoded ? Bytes(*decoded) : as_bytes(secret), signed_text);
  }
  return all;
}

std::optional<std::string> fault_of_secret(std::string_view secret) {
  if (!secret.starts_with(kEncoded) || from_base64(secret.substr(kEncoded.size()))) return {};
  return "begins with `whsec_`, and what follows is not base64 with its padding";
}

}  // namespace vas::webhooks
