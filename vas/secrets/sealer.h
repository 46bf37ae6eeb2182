// Texts that are at rest for nobody but who has the key: AES-256-GCM, and keyed hashes to look them up by.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vas::secrets {

using Key = std::array<std::uint8_t, 32>;

// A sealed text is "sealed1:<key id>:<base64 of 24 random bytes, the ciphertext, its tag>": printable ASCII.
// The first 12 random bytes make a key for this text alone out of ours, the others are its nonce: so the
// bound of 2^32 texts under one key with random nonces (NIST SP 800-38D §8.3) is none for us.
//
// Threads: any; immutable.
class Sealer {
 public:
  explicit Sealer(const Key& key);

  // Which key it is, told by the key alone and telling nothing of it: 16 hex digits.
  const std::string& key_id() const { return key_id_; }

  // `place`: where the text belongs, such as "session 7"; it opens nowhere else.
  std::string seal(std::string_view text, std::string_view place) const;

  // Nothing for what another key sealed, for another place, or what was changed since.
  std::optional<std::string> open(std::string_view sealed, std::string_view place) const;

  // The same for the same text, and without the key as good as random: 64 hex digits (HMAC-SHA256).
  std::string hash(std::string_view text) const;

  static bool is_sealed(std::string_view text);

 private:
  Key sealing_key_;
  Key hash_key_;
  std::string key_id_;
};

}  // namespace vas::secrets
