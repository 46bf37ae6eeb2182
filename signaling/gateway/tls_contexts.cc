#include "signaling/gateway/tls_contexts.h"

#include <openssl/ssl.h>

#include "vas/base/log.h"

namespace vas::signaling {
namespace {

namespace ssl = boost::asio::ssl;

constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

TlsContext make_context() {
  auto context = std::make_shared<ssl::context>(ssl::context::tls);
  SSL_CTX* native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(native, kCiphers);
  SSL_CTX_set_options(native,
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  return context;
}

Result<TlsContext> make_server(const TlsConfig& config) {
  TlsContext context = make_context();
  boost::system::error_code failure;
  context->use_certificate_chain_file(config.certificate_file, failure);
  if (failure)
    return Error{"cannot use the certificate " + config.certificate_file + ": " + failure.message()};
  context->use_private_key_file(config.key_file, ssl::context::pem, failure);
  if (failure) return Error{"cannot use the key " + config.key_file + ": " + failure.message()};
  if (SSL_CTX_check_private_key(context->native_handle()) != 1)
    return Error{"the key " + config.key_file + " is not of the certificate " + config.certificate_file};
  return context;
}

Result<TlsContext> make_client(const TlsConfig& config) {
  TlsContext context = make_context();
  boost::system::error_code failure;
  context->set_verify_mode(ssl::verify_peer, failure);
  if (config.ca_file.empty()) {
    context->set_default_verify_paths(failure);
  } else {
    context->load_verify_file(config.ca_file, failure);
  }
  if (failure) return Error{"cannot use the authorities " + config.ca_file + ": " + failure.message()};
  return context;
}

}  // namespace

Result<TlsContexts> TlsContexts::open(const TlsConfig& config) {
  TlsContexts contexts(config);
  auto client = make_client(config);
  if (!client) return Error{client.error()};
  contexts.client_ = *client;
  if (config.certificate_file.empty()) return contexts;
  auto server = make_server(config);
  if (!server) return Error{server.error()};
  contexts.server_ = *server;
  contexts.loaded_at_ = contexts.newest();
  return contexts;
}

TlsContexts::FileTime TlsContexts::newest() const {
  FileTime newest = FileTime::min();
  for (const std::string& file : {config_.certificate_file, config_.key_file}) {
    std::error_code failure;
    const FileTime written = std::filesystem::last_write_time(file, failure);
    if (!failure) newest = std::max(newest, written);
  }
  return newest;
}

void TlsContexts::reload_if_changed() {
  if (server_ == nullptr) return;
  const FileTime written = newest();
  if (written == loaded_at_) return;
  loaded_at_ = written;
  auto server = make_server(config_);
  if (!server) return log::error("", "the certificate in use stays: {}", server.error());
  server_ = *server;
  log::info("", "the certificate {} was read again", config_.certificate_file);
}

}  // namespace vas::signaling
