// A connection through TLS over a pair of sockets, with OpenSSL's own client at the other end.
#include "vas/api/byte_stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>

namespace vas::api {
namespace {

namespace asio = boost::asio;

class ByteStreamTest : public testing::Test {
 protected:
  ByteStreamTest()
      : server_context_(SSL_CTX_new(TLS_server_method())), client_context_(SSL_CTX_new(TLS_client_method())) {
    for (SSL_CTX* each : {server_context_, client_context_}) {  // ciphers that need no certificate
      SSL_CTX_set_max_proto_version(each, TLS1_2_VERSION);
      SSL_CTX_set_security_level(each, 0);
      SSL_CTX_set_cipher_list(each, "aNULL");
    }
    descriptors_ = pair();
    TlsSession tls;
    tls.ssl.reset(SSL_new(server_context_));
    client_ = SSL_new(client_context_);
    SSL_set_fd(tls.ssl.get(), descriptors_[0]);
    SSL_set_fd(client_, descriptors_[1]);
    SSL_set_accept_state(tls.ssl.get());
    SSL_set_connect_state(client_);
    for (int turn = 0; turn < 5; ++turn) {
      SSL_do_handshake(client_);
      SSL_do_handshake(tls.ssl.get());
    }
    EXPECT_TRUE(SSL_is_init_finished(tls.ssl.get()));
    ByteStream::Socket socket(context_.get_executor());
    socket.assign(asio::ip::tcp::v4(), descriptors_[0]);
    stream_.emplace(std::move(socket), std::move(tls));
  }
  ~ByteStreamTest() override {
    stream_.reset();
    SSL_free(client_);
    SSL_CTX_free(server_context_);
    SSL_CTX_free(client_context_);
    ::close(descriptors_[1]);
  }
  static std::array<int, 2> pair() {
    std::array<int, 2> both{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, both.data()), 0);
    return both;
  }
  // How an operation ended, when all that can be done now is done.
  ByteStream::Failure write(const std::string& text) {
    ByteStream::Failure outcome = asio::error::would_block;
    stream_->async_write_some(asio::buffer(text),
                              [&](ByteStream::Failure failure, std::size_t) { outcome = failure; });
    run();
    return outcome;
  }
  ByteStream::Failure read() {
    ByteStream::Failure outcome = asio::error::would_block;
    stream_->async_read_some(asio::buffer(read_),
                             [&](ByteStream::Failure failure, std::size_t) { outcome = failure; });
    run();
    return outcome;
  }
  void run() {
    context_.restart();
    context_.poll();
  }

  asio::io_context context_;
  SSL_CTX *server_context_, *client_context_;
  SSL* client_ = nullptr;
  std::array<int, 2> descriptors_{};
  std::optional<ByteStream> stream_;
  std::array<char, 64> read_{};
};

TEST_F(ByteStreamTest, CarriesBytesBothWays) {
  EXPECT_FALSE(write("from us"));
  std::array<char, 64> got{};
  ASSERT_EQ(SSL_read(client_, got.data(), got.size()), 7);
  ASSERT_EQ(SSL_write(client_, "from them", 9), 9);
  EXPECT_EQ(stream_->peek(), ByteStream::Peek::kBytes);
  EXPECT_FALSE(read());
  EXPECT_EQ(std::string(read_.data(), 9), "from them");
  EXPECT_EQ(stream_->peek(), ByteStream::Peek::kNothing);
}

// The number of a closed descriptor is the next one's that is opened, by any thread.
TEST_F(ByteStreamTest, OnceClosedItTouchesNobodysSocket) {
  stream_->close();
  const auto others = pair();
  const int number = descriptors_[0];
  ASSERT_EQ(others[0] == number ? number : dup2(others[0], number), number);
  ASSERT_EQ(::write(others[1], "another's", 9), 9);

  EXPECT_TRUE(write("for the one that was closed"));
  EXPECT_TRUE(read());
  EXPECT_EQ(stream_->peek(), ByteStream::Peek::kGone);
  stream_->finish();

  std::array<char, 64> bytes{};
  EXPECT_EQ(::read(others[1], bytes.data(), bytes.size()), -1);
  EXPECT_EQ(::read(others[0], bytes.data(), bytes.size()), 9);
  for (const int each : {others[0], others[1], number}) ::close(each);
}

}  // namespace
}  // namespace vas::api
