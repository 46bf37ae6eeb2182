// Two ends of a DTLS-SRTP handshake in one process, and what strangers can do to it.
#include "media/srtp/dtls_session.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include "media/srtp/srtp_session.h"

namespace vas::media {
namespace {

using Datagram = std::vector<std::uint8_t>;

std::unique_ptr<DtlsContext> context() { return std::move(*DtlsContext::make()); }

class DtlsTest : public testing::Test {
 protected:
  DtlsTest() {
    client_.emplace(*near_, DtlsRole::kClient, far_->fingerprint());
    server_.emplace(*far_, DtlsRole::kServer, near_->fingerprint());
  }
  // Carries flights to and fro until both are silent. `loses(n)`: whether the n-th datagram is lost.
  template <typename Loses>
  void run(DtlsSession::Flight from_client, Loses loses) {
    DtlsSession::Flight from_server;
    for (int turn = 0; turn < 50 && !(from_client.empty() && from_server.empty()); ++turn) {
      from_server = deliver(std::exchange(from_client, {}), *server_, loses, std::move(from_server));
      from_client = deliver(std::exchange(from_server, {}), *client_, loses, {});
    }
  }
  void run(DtlsSession::Flight from_client) {
    run(std::move(from_client), [](int) { return false; });
  }
  template <typename Loses>
  DtlsSession::Flight deliver(const DtlsSession::Flight& flight, DtlsSession& to, Loses loses,
                              DtlsSession::Flight answers) {
    for (const Datagram& each : flight) {
      EXPECT_LE(each.size(), DtlsSession::kMaxDatagram);
      if (loses(carried_++)) continue;
      const auto& said = to.on_datagram(now_, each);
      answers.insert(answers.end(), said.begin(), said.end());
    }
    return answers;
  }
  void expect_the_same_keys() {
    ASSERT_TRUE(client_->keys() && server_->keys());
    EXPECT_EQ(client_->keys()->outbound, server_->keys()->inbound);
    EXPECT_EQ(client_->keys()->inbound, server_->keys()->outbound);
    EXPECT_NE(client_->keys()->inbound, client_->keys()->outbound);
  }

  std::unique_ptr<DtlsContext> near_ = context(), far_ = context();
  std::optional<DtlsSession> client_, server_;
  Time now_{std::chrono::seconds(1000)};
  int carried_ = 0;
};

TEST_F(DtlsTest, BothEndsGetTheSameKeys) {
  run(client_->start(now_));
  expect_the_same_keys();
  EXPECT_EQ(client_->keys()->inbound.suite(), SrtpSuite::kAeadAes128Gcm) << "the first that both have";
}

TEST_F(DtlsTest, ACertificateThatSdpDidNotNameGetsNoKeys) {
  const auto stranger = context();
  client_.emplace(*stranger, DtlsRole::kClient, far_->fingerprint());
  run(client_->start(now_));
  EXPECT_FALSE(server_->keys());
  server_.emplace(*far_, DtlsRole::kServer, near_->fingerprint());
  client_.emplace(*near_, DtlsRole::kClient, stranger->fingerprint());
  run(client_->start(now_));
  EXPECT_FALSE(client_->keys());
}

TEST_F(DtlsTest, WhatIsLostIsSentAgain) {
  for (int lost = 0; lost < 4; ++lost) {
    client_.emplace(*near_, DtlsRole::kClient, far_->fingerprint());
    server_.emplace(*far_, DtlsRole::kServer, near_->fingerprint());
    carried_ = 0;
    const auto loses = [&](int number) { return number == lost; };
    run(client_->start(now_), loses);
    for (int i = 0; i < 4 && !(client_->keys() && server_->keys()); ++i) {
      usleep(450'000);
      const DtlsSession::Flight again = server_->on_time(now_);
      run(client_->on_time(now_), loses);
      run(deliver(again, *client_, loses, {}), loses);
    }
    expect_the_same_keys();
  }
}

// What FreeSWITCH, Asterisk and rtpengine once ended their calls for.
TEST_F(DtlsTest, StrangersHellosAndGarbageChangeNothing) {
  SSL_CTX* context_of_stranger = SSL_CTX_new(DTLS_method());
  SSL_CTX_set_security_level(context_of_stranger, 0);
  SSL_CTX_set_cipher_list(context_of_stranger, "NULL:eNULL:@SECLEVEL=0");
  for (int i = 0; i < 3; ++i) {
    SSL* stranger = SSL_new(context_of_stranger);
    BIO* out = BIO_new(BIO_s_mem());
    SSL_set_bio(stranger, BIO_new(BIO_s_mem()), out);
    SSL_set_connect_state(stranger);
    (void)SSL_do_handshake(stranger);
    char* data = nullptr;
    const long size = BIO_get_mem_data(out, &data);
    ASSERT_GT(size, 0);
    const auto& answer = server_->on_datagram(now_, Datagram(data, data + size));
    EXPECT_TRUE(answer.empty()) << "not even an alert";
    SSL_free(stranger);
  }
  SSL_CTX_free(context_of_stranger);
  for (std::size_t size = 0; size < 200; ++size) (void)server_->on_datagram(now_, Datagram(size, 22));
  run(client_->start(now_));
  expect_the_same_keys();
}

TEST_F(DtlsTest, AfterTheHandshakeNothingEndsIt) {
  run(client_->start(now_));
  expect_the_same_keys();
  const DtlsKeys keys = *server_->keys();
  const Datagram fatal_alert{21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 2, 40};
  const Datagram short_record{23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 100, 0, 1, 0};  // CVE-2026-75806's kind
  for (int i = 0; i < 100; ++i) {
    (void)server_->on_datagram(now_, fatal_alert);
    (void)server_->on_datagram(now_, short_record);
    (void)server_->on_datagram(now_, Datagram(static_cast<std::size_t>(i), 22));
  }
  ASSERT_TRUE(server_->keys());
  EXPECT_EQ(server_->keys()->inbound, keys.inbound);
}

TEST_F(DtlsTest, AttemptsAreLimitedForASecond) {
  const auto stranger = context();
  int answered = 0;
  for (int i = 0; i < 3 * DtlsSession::kMaxAttemptsPerSecond; ++i) {
    client_.emplace(*stranger, DtlsRole::kClient, far_->fingerprint());
    const int before = carried_;
    run(client_->start(now_));
    answered += carried_ - before > 1;
  }
  EXPECT_EQ(answered, DtlsSession::kMaxAttemptsPerSecond);
  EXPECT_FALSE(server_->keys());
  now_ += std::chrono::seconds(1);
  client_.emplace(*near_, DtlsRole::kClient, far_->fingerprint());
  run(client_->start(now_));
  expect_the_same_keys();
}

TEST(CertificateFingerprint, IsReadAndWritten) {
  const auto made = context();
  const auto read = CertificateFingerprint::parse(made->fingerprint().text());
  EXPECT_EQ(read, made->fingerprint());
  std::string lower = made->fingerprint().text();
  for (char& each : lower) each = static_cast<char>(std::tolower(static_cast<unsigned char>(each)));
  EXPECT_EQ(CertificateFingerprint::parse(lower), made->fingerprint());
  for (const std::string& each :
       {std::string(), std::string("sha-256"), std::string("sha-256 "), std::string("sha-256 AB:CD"),
        "sha-1 " + std::string(59, 'A'), made->fingerprint().text() + ":00", made->fingerprint().text() + "0",
        "md5" + made->fingerprint().text().substr(7), std::string("sha-256 zz:cd")})
    EXPECT_FALSE(CertificateFingerprint::parse(each)) << each;
}

}  // namespace
}  // namespace vas::media
