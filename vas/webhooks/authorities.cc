#include "vas/webhooks/authorities.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

namespace vas::webhooks {

Result<Authorities> Authorities::read(const std::string& file) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_file(file.c_str(), "r"), BIO_free);
  if (!in) return Error{"cannot read the authorities " + file};
  Authorities all;
  while (X509* each = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr))
    all.certificates_.emplace_back(each, X509_free);
  // It ends with "no more"; anything else is a certificate that could not be read.
  const bool is_whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!is_whole || all.certificates_.empty())
    return Error{"the authorities " + file + " are no certificates in PEM"};
  return all;
}

bool Authorities::add_to(SSL_CTX* context) const {
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const auto& each : certificates_) {
    if (X509_STORE_add_cert(store, each.get()) != 1) return false;
  }
  return true;
}

}  // namespace vas::webhooks
