#include "tls/tls_contexts.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <boost/asio/ssl/context.hpp>

#include "base/endpoint.h"
#include "base/log.h"
#include "base/tls_groups.h"

namespace vas {
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
  SSL_CTX_set1_groups_list(native, kTlsGroups);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                  SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
  // No resumption: its keys would outlive connections, its cache would be filled by whoever comes. SIP's
  // connections are few and long.
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(native, 0);
  SSL_CTX_set_max_early_data(native, 0);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);  // of the thousands that are idle
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

std::string_view text_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

std::string address_of(std::string_view bytes) {
  IpAddress address;
  if (bytes.size() != 4 && bytes.size() != 16) return {};
  address.family = bytes.size() == 4 ? AddressFamily::kIpv4 : AddressFamily::kIpv6;
  std::copy(bytes.begin(), bytes.end(), address.bytes.begin());
  return to_string(address);
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

std::vector<std::string> TlsContexts::names() const {
  std::vector<std::string> names;
  X509* certificate = server_ == nullptr ? nullptr : SSL_CTX_get0_certificate(server_->native_handle());
  if (certificate == nullptr) return names;
  auto* subjects =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(subjects); ++i) {
    const GENERAL_NAME* each = sk_GENERAL_NAME_value(subjects, i);
    if (each->type != GEN_DNS && each->type != GEN_IPADD) continue;
    const std::string_view text = text_of(each->type == GEN_DNS ? each->d.dNSName : each->d.iPAddress);
    names.push_back(each->type == GEN_DNS ? std::string(text) : address_of(text));
  }
  GENERAL_NAMES_free(subjects);
  return names;
}

bool TlsContexts::reload_if_changed() {
  if (server_ == nullptr) return false;
  const FileTime written = newest();
  if (written == loaded_at_) return false;
  loaded_at_ = written;
  auto server = make_server(config_);
  if (!server) {
    log::error("", "the certificate in use stays: {}", server.error());
    return false;
  }
  server_ = *server;
  log::info("", "the certificate {} was read again", config_.certificate_file);
  return true;
}

}  // namespace vas
