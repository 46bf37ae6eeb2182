// What a domain or a trunk wants of its media.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace vas {

enum class MediaEncryption : std::uint8_t { kNone, kOptional, kRequired };

inline constexpr std::array<std::string_view, 3> kMediaEncryptionNames{"none", "optional", "required"};

inline std::optional<MediaEncryption> media_encryption_named(std::string_view name) {
  const auto found = std::find(kMediaEncryptionNames.begin(), kMediaEncryptionNames.end(), name);
  if (found == kMediaEncryptionNames.end()) return {};
  return static_cast<MediaEncryption>(found - kMediaEncryptionNames.begin());
}

inline std::string_view to_string(MediaEncryption encryption) {
  return kMediaEncryptionNames[static_cast<std::size_t>(encryption)];
}

}  // namespace vas
