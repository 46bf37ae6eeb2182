// SRTP by libsrtp2: the second backend, and what the first is compared with. (srtp_session.h)
#pragma once

#include "media/srtp/srtp_session.h"

namespace vas::media {

std::unique_ptr<SrtpProtector> make_libsrtp_protector(const SrtpKey& key);
std::unique_ptr<SrtpUnprotector> make_libsrtp_unprotector(const SrtpKey& key);

}  // namespace vas::media
