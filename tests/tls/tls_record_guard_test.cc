// Floods of records that carry nothing, sent by OpenSSL's own client.
#include "tls/tls_record_guard.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <memory>

namespace vas {
namespace {

class TlsRecordGuardTest : public testing::TestWithParam<int> {
 protected:
  TlsRecordGuardTest()
      : server_context_(SSL_CTX_new(TLS_server_method())), client_context_(SSL_CTX_new(TLS_client_method())) {
    for (SSL_CTX* context : {server_context_, client_context_}) {
      SSL_CTX_set_max_proto_version(context, GetParam());
      SSL_CTX_set_security_level(context, 0);
      SSL_CTX_set_cipher_list(context, "ALL:aNULL");
      SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    }
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX_use_certificate(server_context_, certificate);
    SSL_CTX_use_PrivateKey(server_context_, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    server_ = SSL_new(server_context_);
    client_ = SSL_new(client_context_);
    BIO *near = nullptr, *far = nullptr;
    BIO_new_bio_pair(&near, 1 << 17, &far, 1 << 17);
    SSL_set_bio(server_, near, near);
    SSL_set_bio(client_, far, far);
    SSL_set_accept_state(server_);
    SSL_set_connect_state(client_);
    guard_.watch(server_, [this] { ++floods_; });
    for (int turn = 0; turn < 5; ++turn) {
      SSL_do_handshake(client_);
      SSL_do_handshake(server_);
    }
    EXPECT_TRUE(SSL_is_init_finished(server_));
  }
  ~TlsRecordGuardTest() override {
    SSL_free(server_);
    SSL_free(client_);
    SSL_CTX_free(server_context_);
    SSL_CTX_free(client_context_);
  }
  void read_all() {
    char bytes[4096];
    while (SSL_read(server_, bytes, sizeof bytes) > 0) {
    }
  }

  SSL_CTX *server_context_, *client_context_;
  TlsRecordGuard guard_;
  SSL *server_ = nullptr, *client_ = nullptr;
  int floods_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Versions, TlsRecordGuardTest, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));

TEST_P(TlsRecordGuardTest, AnyNumberOfRecordsThatCarrySomethingIsFine) {
  for (int i = 0; i < 10 * TlsRecordGuard::kMaxRecords; ++i) {
    ASSERT_EQ(SSL_write(client_, "x", 1), 1);
    read_all();
  }
  EXPECT_EQ(floods_, 0);
}

TEST_P(TlsRecordGuardTest, AFewKeyUpdatesAreFineAndAFloodIsTold) {
  if (GetParam() != TLS1_3_VERSION) return;  // it alone has KeyUpdate
  const auto update = [this] {
    SSL_key_update(client_, SSL_KEY_UPDATE_NOT_REQUESTED);
    SSL_do_handshake(client_);
    SSL_write(client_, "x", 1);  // something is carried between them
    read_all();
  };
  for (int i = 0; i < TlsRecordGuard::kMaxRecords / 2; ++i) update();
  EXPECT_EQ(floods_, 0);
  for (int i = 0; i < TlsRecordGuard::kMaxRecords; ++i) update();
  EXPECT_EQ(floods_, 1);
}

TEST_P(TlsRecordGuardTest, CountsInWindows) {
  Time now{std::chrono::seconds(1'000'000)};
  for (int i = 0; i < 10 * TlsRecordGuard::kMaxRecords; ++i)
    guard_.count(now += TlsRecordGuard::kWindow / (TlsRecordGuard::kMaxRecords - 1));
  EXPECT_EQ(floods_, 0);
  now += TlsRecordGuard::kWindow * 2;
  for (int i = 0; i < 3 * TlsRecordGuard::kMaxRecords; ++i) guard_.count(now);
  EXPECT_EQ(floods_, 1);
}

}  // namespace
}  // namespace vas
