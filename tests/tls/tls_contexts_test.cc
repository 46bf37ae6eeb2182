// What our contexts agree to: peers of this file choose their own groups and versions.
#include "tls/tls_contexts.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/ssl/context.hpp>
#include <cstdio>
#include <filesystem>

namespace vas {
namespace {

template <auto free>
struct Freed {
  void operator()(auto* object) const { free(object); }
};
using Ssl = std::unique_ptr<SSL, Freed<SSL_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;

void write_certificate(const std::string& certificate_file, const std::string& key_file, const char* names) {
  const std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>> key(EVP_RSA_gen(2048));  // goes with any group
  const std::unique_ptr<X509, Freed<X509_free>> certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("common.example"), -1, -1, 0);
  const std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names));
  X509_add_ext(certificate.get(), extension.get(), -1);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  std::FILE* file = std::fopen(certificate_file.c_str(), "w");
  PEM_write_X509(file, certificate.get());
  std::fclose(file);
  file = std::fopen(key_file.c_str(), "w");
  PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
}

class TlsContextsTest : public testing::Test {
 protected:
  TlsContextsTest() {
    std::filesystem::create_directories(folder_);
    write_certificate(config_.certificate_file, config_.key_file,
                      "DNS:sip.example,DNS:*.calls.example,IP:192.0.2.7,IP:2001:db8::7");
    auto opened = TlsContexts::open(config_);
    EXPECT_TRUE(opened) << opened.error();
    contexts_.emplace(std::move(*opened));
  }
  ~TlsContextsTest() override { std::filesystem::remove_all(folder_); }

  // The group that both agreed upon; nothing where they did not.
  static std::optional<std::string> shake_hands(SSL_CTX* server_context, SSL_CTX* client_context) {
    const Ssl server(SSL_new(server_context)), client(SSL_new(client_context));
    BIO *near = nullptr, *far = nullptr;
    BIO_new_bio_pair(&near, 0, &far, 0);
    SSL_set_bio(server.get(), near, near);
    SSL_set_bio(client.get(), far, far);
    SSL_set_accept_state(server.get());
    SSL_set_connect_state(client.get());
    for (int turn = 0; turn < 10; ++turn) {
      SSL_do_handshake(client.get());
      SSL_do_handshake(server.get());
    }
    char byte = 0;
    SSL_read(client.get(), &byte, 1);  // tickets come after it
    if (!SSL_is_init_finished(server.get()) || !SSL_is_init_finished(client.get())) return {};
    return SSL_group_to_name(client.get(), static_cast<int>(SSL_get_negotiated_group(client.get())));
  }
  static Context peer(const SSL_METHOD* method, int version, const char* groups) {
    Context context(SSL_CTX_new(method));
    SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_max_proto_version(context.get(), version);
    EXPECT_EQ(SSL_CTX_set1_groups_list(context.get(), groups), 1) << groups;
    return context;
  }
  std::optional<std::string> serve(int version, const char* groups) {
    const Context client = peer(TLS_client_method(), version, groups);
    return shake_hands(contexts_->server()->native_handle(), client.get());
  }
  std::optional<std::string> dial(int version, const char* groups) {
    const Context server = peer(TLS_server_method(), version, groups);
    SSL_CTX_use_certificate_file(server.get(), config_.certificate_file.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(server.get(), config_.key_file.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_set_verify(contexts_->client()->native_handle(), SSL_VERIFY_NONE, nullptr);
    return shake_hands(server.get(), contexts_->client()->native_handle());
  }

  const std::string folder_ = testing::TempDir() + "tls_contexts_test" + std::to_string(getpid());
  const TlsConfig config_{folder_ + "/certificate.pem", folder_ + "/key.pem", folder_ + "/certificate.pem"};
  std::optional<TlsContexts> contexts_;
};

TEST_F(TlsContextsTest, TakesTheThreeGroupsAsServerAndAsClient) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const char* group : {"X25519", "P-256", "P-384"}) {
      EXPECT_TRUE(serve(version, group)) << group << " " << version;
      EXPECT_TRUE(dial(version, group)) << group << " " << version;
    }
  }
}

TEST_F(TlsContextsTest, RefusesGroupsThatCostMuch) {
  for (const char* group : {"ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"}) {
    EXPECT_FALSE(serve(TLS1_3_VERSION, group)) << group;
    EXPECT_FALSE(dial(TLS1_3_VERSION, group)) << group;
  }
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const char* group : {"P-521", "X448"}) {
      EXPECT_FALSE(serve(version, group)) << group << " " << version;
      EXPECT_FALSE(dial(version, group)) << group << " " << version;
    }
  }
}

TEST_F(TlsContextsTest, LeavesACostlyGroupForACheapOneThatIsOfferedToo) {
  EXPECT_EQ(serve(TLS1_3_VERSION, "ffdhe8192:P-256"), "secp256r1");
  EXPECT_EQ(dial(TLS1_3_VERSION, "ffdhe8192:P-256"), "secp256r1");
}

TEST_F(TlsContextsTest, KnowsWhomTheCertificateIsOf) {
  const std::vector<std::string> expected = {"sip.example", "*.calls.example", "192.0.2.7", "2001:db8::7"};
  EXPECT_EQ(contexts_->names(), expected);
}

TEST_F(TlsContextsTest, KeepsNothingToResumeBy) {
  const Context client = peer(TLS_client_method(), TLS1_3_VERSION, "X25519");
  int tickets = 0;
  SSL_CTX_set_app_data(client.get(), &tickets);
  SSL_CTX_set_session_cache_mode(client.get(), SSL_SESS_CACHE_CLIENT);
  SSL_CTX_sess_set_new_cb(client.get(), [](SSL* ssl, SSL_SESSION*) {
    ++*static_cast<int*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    return 0;
  });
  EXPECT_TRUE(shake_hands(contexts_->server()->native_handle(), client.get()));
  EXPECT_EQ(tickets, 0);
  EXPECT_EQ(SSL_CTX_sess_number(contexts_->server()->native_handle()), 0);
}

}  // namespace
}  // namespace vas
