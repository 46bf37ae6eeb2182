#include "base/base64.h"

#include <openssl/evp.h>

namespace vas {

std::string to_base64(Bytes bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  text.resize(static_cast<std::size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                                       bytes.data(), static_cast<int>(bytes.size()))));
  return text;
}

std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return {};
  std::vector<std::uint8_t> bytes(text.size() / 4 * 3);
  if (EVP_DecodeBlock(bytes.data(), as_bytes(text).data(), static_cast<int>(text.size())) < 0) return {};
  const std::ptrdiff_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  bytes.erase(bytes.end() - padding, bytes.end());
  // The bits that padding leaves over must be nobody's: one text for the same bytes.
  if (to_base64(bytes) != text) return {};
  return bytes;
}

}  // namespace vas
