// Session keys out of a master key. (RFC 3711 §4.3; RFC 7714 §11)
#pragma once

#include <array>

#include "media/srtp/srtp_suite.h"

namespace vas::media {

// For RTP, or for RTCP. Forgotten when they go.
struct SrtpSessionKeys {
  // Of HMAC-SHA1's key (RFC 3711 §5.2).
  static constexpr std::size_t kAuthBytes = 20;

  std::array<std::uint8_t, 32> cipher{};
  std::array<std::uint8_t, kAuthBytes> auth{};  // AEAD suites have no use for it
  std::array<std::uint8_t, 14> salt{};

  ~SrtpSessionKeys();
};

enum class SrtpKeyUse : std::uint8_t { kRtp = 0, kRtcp = 3 };  // the first of three labels

SrtpSessionKeys derive_session_keys(const SrtpKey& master, SrtpKeyUse use);

}  // namespace vas::media
