// What a domain, a trunk or a listener wants of its media.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/text.h"

namespace vas {

enum class MediaEncryption : std::uint8_t { kNone, kOptional, kRequired };
inline constexpr std::array<std::string_view, 3> kMediaEncryptionNames{"none", "optional", "required"};
inline std::string_view to_string(MediaEncryption encryption) {
  return kMediaEncryptionNames[static_cast<std::size_t>(encryption)];
}

// How keys are agreed with whom we call: in SDP (RFC 4568), or by DTLS (RFC 5763).
// Who calls us has the choice.
enum class MediaKeying : std::uint8_t { kSdes, kDtls };
inline constexpr std::array<std::string_view, 2> kMediaKeyingNames{"sdes", "dtls"};
inline std::string_view to_string(MediaKeying keying) {
  return kMediaKeyingNames[static_cast<std::size_t>(keying)];
}

// Our side of ICE (RFC 8445 §2.5). Full: where we are behind a NAT ourselves, or the other side is lite.
enum class IceMode : std::uint8_t { kNone, kLite, kFull };
inline constexpr std::array<std::string_view, 3> kIceModeNames{"none", "lite", "full"};
inline std::string_view to_string(IceMode mode) { return kIceModeNames[static_cast<std::size_t>(mode)]; }

}  // namespace vas
