#include "vas/api/byte_stream.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include <boost/asio/error.hpp>
#include <cerrno>

namespace vas::api {

namespace asio = boost::asio;

ByteStream::Step ByteStream::step(asio::mutable_buffer buffer) {
  if (is_broken_) return {.failure = asio::error::connection_reset};
  if (buffer.size() == 0) return {};
  ERR_clear_error();
  std::size_t bytes = 0;
  const int result = SSL_read_ex(tls_.ssl.get(), buffer.data(), buffer.size(), &bytes);
  return judge(result, bytes);
}

ByteStream::Step ByteStream::step(asio::const_buffer buffer) {
  if (is_broken_) return {.failure = asio::error::connection_reset};
  if (buffer.size() == 0) return {};
  ERR_clear_error();
  std::size_t bytes = 0;
  const int result = SSL_write_ex(tls_.ssl.get(), buffer.data(), buffer.size(), &bytes);
  return judge(result, bytes);
}

ByteStream::Step ByteStream::judge(int result, std::size_t bytes) {
  thread_check_.check();
  switch (SSL_get_error(tls_.ssl.get(), result)) {
    case SSL_ERROR_NONE: return {.bytes = bytes};
    case SSL_ERROR_WANT_READ: return {.want = Want::kRead};
    case SSL_ERROR_WANT_WRITE: return {.want = Want::kWrite};
    case SSL_ERROR_ZERO_RETURN: return {.failure = asio::error::eof};
    default: is_broken_ = true; return {.failure = asio::error::connection_reset};
  }
}

ByteStream::Peek ByteStream::peek() {
  thread_check_.check();
  char byte = 0;
  if (!tls_.ssl) {
    const ssize_t peeked = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (peeked > 0) return Peek::kBytes;
    return peeked < 0 && errno == EAGAIN ? Peek::kNothing : Peek::kGone;
  }
  if (is_broken_) return Peek::kGone;
  ERR_clear_error();
  std::size_t bytes = 0;
  const int result = SSL_peek_ex(tls_.ssl.get(), &byte, 1, &bytes);
  const Step found = judge(result, bytes);
  if (found.failure) return Peek::kGone;
  return found.want == Want::kNothing ? Peek::kBytes : Peek::kNothing;
}

void ByteStream::finish() {
  thread_check_.check();
  ERR_clear_error();
  if (tls_.ssl && !is_broken_) SSL_shutdown(tls_.ssl.get());
  Failure ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

// OpenSSL knows the socket by its number, which is another's from here on.
void ByteStream::close() {
  thread_check_.check();
  is_broken_ = true;
  Failure ignored;
  socket_.close(ignored);
}

}  // namespace vas::api
