// The bytes of one connection, in the clear or through TLS: what Beast reads from and writes to.
#pragma once

#include <boost/asio/compose.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <type_traits>
#include <utility>

#include "base/thread_check.h"
#include "vas/api/tls_session.h"

namespace vas::api {

// An AsyncStream as Beast wants it. One read and one write at a time.
//
// Threads:  its executor's. Lifetime: outlives its operations; close() ends those.
class ByteStream {
 public:
  using executor_type = boost::asio::io_context::executor_type;
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, executor_type>;
  using Failure = boost::system::error_code;

  // `tls.ssl`: none for plain TCP; otherwise its handshake is over, and it is the socket's.
  ByteStream(Socket socket, TlsSession tls) : socket_(std::move(socket)), tls_(std::move(tls)) {}

  executor_type get_executor() { return socket_.get_executor(); }

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    thread_check_.check();
    if (!tls_.ssl) return socket_.async_read_some(buffers, std::forward<Token>(token));
    return through_tls(
        Operation<boost::asio::mutable_buffer>{this, first_of<boost::asio::mutable_buffer>(buffers)},
        std::forward<Token>(token));
  }
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    thread_check_.check();
    if (!tls_.ssl) return socket_.async_write_some(buffers, std::forward<Token>(token));
    return through_tls(
        Operation<boost::asio::const_buffer>{this, first_of<boost::asio::const_buffer>(buffers)},
        std::forward<Token>(token));
  }

  // When there may be something to read, or the peer has gone.
  template <typename Handler>
  void async_wait_readable(Handler handler) {
    thread_check_.check();
    socket_.async_wait(Socket::wait_read, std::move(handler));
  }
  // What a read would find now. Takes nothing.
  enum class Peek { kNothing, kBytes, kGone };
  Peek peek();

  // Says that nothing follows, and lets the peer read what was sent. Who says goodbye by TLS is owed one
  // (RFC 8446 §6.1).
  void finish();
  void close();

 private:
  enum class Want { kNothing, kRead, kWrite };
  struct Step {
    Want want = Want::kNothing;
    Failure failure;
    std::size_t bytes = 0;
  };
  Step step(boost::asio::mutable_buffer buffer);
  Step step(boost::asio::const_buffer buffer);
  Step judge(int result, std::size_t bytes);

  // Works as long as the socket lets it. Never completes inside the call that began it.
  template <typename Buffer>
  struct Operation {
    ByteStream* stream;
    Buffer buffer;
    bool has_begun = false;
    bool is_over = false;
    Step last{};

    template <typename Self>
    void operator()(Self& self, const Failure& failure = {}) {
      if (failure) return self.complete(failure, 0);
      if (is_over) return self.complete(last.failure, last.bytes);
      last = stream->step(buffer);
      const bool is_first = !std::exchange(has_begun, true);
      if (last.want != Want::kNothing) {
        const auto what = last.want == Want::kRead ? Socket::wait_read : Socket::wait_write;
        return stream->socket_.async_wait(what, std::move(self));
      }
      if (!is_first) return self.complete(last.failure, last.bytes);
      is_over = true;
      boost::asio::post(stream->get_executor(), std::move(self));
    }
  };
  template <typename Buffer, typename Token>
  auto through_tls(Operation<Buffer> operation, Token&& token) {
    return boost::asio::async_compose<Token, void(Failure, std::size_t)>(std::move(operation), token,
                                                                         socket_);
  }
  template <typename Buffer, typename Buffers>
  static Buffer first_of(const Buffers& buffers) {
    for (auto each = boost::asio::buffer_sequence_begin(buffers);
         each != boost::asio::buffer_sequence_end(buffers); ++each) {
      if (const Buffer buffer = *each; buffer.size() != 0) return buffer;
    }
    return {};
  }

  Socket socket_;
  TlsSession tls_;
  bool is_broken_ = false;  // OpenSSL has said so, or it is closed: OpenSSL is not asked again
  ThreadCheck thread_check_{"ByteStream"};
};

}  // namespace vas::api
