// SRTP under a master key that has an identifier (MKI): each packet names it.
// (RFC 3711 §3.1, §3.4; RFC 7714 §8.2)
#pragma once

#include <memory>

#include "media/srtp/srtp_session.h"

namespace vas::media {

// Around what protects without one; `key` has an identifier.
std::unique_ptr<SrtpProtector> with_identifier(std::unique_ptr<SrtpProtector> inner, const SrtpKey& key);
std::unique_ptr<SrtpUnprotector> with_identifier(std::unique_ptr<SrtpUnprotector> inner, const SrtpKey& key);

}  // namespace vas::media
