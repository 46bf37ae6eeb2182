#include "media/srtp_session.h"

#include "media/srtp_libsrtp.h"
#include "media/srtp_openssl.h"

namespace vas::media {

std::unique_ptr<SrtpProtector> make_srtp_protector(SrtpBackend backend, const SrtpKey& key) {
  if (backend == SrtpBackend::kLibsrtp) return make_libsrtp_protector(key);
  return std::make_unique<OpensslProtector>(key);
}

std::unique_ptr<SrtpUnprotector> make_srtp_unprotector(SrtpBackend backend, const SrtpKey& key) {
  if (backend == SrtpBackend::kLibsrtp) return make_libsrtp_unprotector(key);
  return std::make_unique<OpensslUnprotector>(key);
}

}  // namespace vas::media
