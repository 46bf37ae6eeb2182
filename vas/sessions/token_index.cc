#include "vas/sessions/token_index.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstring>
#include <mutex>

#include "base/bytes.h"
#include "base/random.h"

namespace vas::sessions {

TokenIndex::TokenIndex() : secret_(random_hex(32)) {}

std::uint64_t TokenIndex::key_of(std::string_view token) const {
  std::uint8_t mac[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()), as_bytes(token).data(), token.size(),
       mac, &length);
  std::uint64_t key = 0;
  std::memcpy(&key, mac, sizeof key);
  return key;
}

void TokenIndex::add(std::string_view token, const std::string& node) {
  thread_check_.check();
  const std::uint64_t key = key_of(token);
  const std::unique_lock lock(mutex_);
  nodes_.insert_or_assign(key, node);
}

void TokenIndex::remove(std::string_view token) {
  thread_check_.check();
  const std::uint64_t key = key_of(token);
  const std::unique_lock lock(mutex_);
  nodes_.erase(key);
}

std::optional<std::string> TokenIndex::find(std::string_view token) const {
  const std::uint64_t key = key_of(token);
  const std::shared_lock lock(mutex_);
  const auto found = nodes_.find(key);
  if (found == nodes_.end()) return {};
  return found->second;
}

}  // namespace vas::sessions
