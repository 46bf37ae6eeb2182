#include "media/srtp/srtp_session.h"

#include "media/srtp/srtp_libsrtp.h"
#include "media/srtp/srtp_mki.h"
#include "media/srtp/srtp_openssl.h"

namespace vas::media {

std::unique_ptr<SrtpProtector> make_srtp_protector(SrtpBackend backend, const SrtpKey& key) {
  std::unique_ptr<SrtpProtector> made;
  if (backend == SrtpBackend::kLibsrtp) {
    made = make_libsrtp_protector(key);
  } else {
    made = std::make_unique<OpensslProtector>(key);
  }
  return key.identifier().bytes == 0 ? std::move(made) : with_identifier(std::move(made), key);
}

std::unique_ptr<SrtpUnprotector> make_srtp_unprotector(SrtpBackend backend, const SrtpKey& key) {
  std::unique_ptr<SrtpUnprotector> made;
  if (backend == SrtpBackend::kLibsrtp) {
    made = make_libsrtp_unprotector(key);
  } else {
    made = std::make_unique<OpensslUnprotector>(key);
  }
  return key.identifier().bytes == 0 ? std::move(made) : with_identifier(std::move(made), key);
}

}  // namespace vas::media
