#include <openssl/x509v3.h>

#include <array>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include "base/asio_endpoint.h"
#include "signaling/gateway/net/connection.h"
#include "signaling/sip/framer.h"
#include "tls/tls_record_guard.h"

namespace vas::signaling {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// Keeps one connection of TCP or TLS, accepted or made by us, and the bytes that are no whole message yet. It
// decides where a message ends (Framer), and, as a client of TLS, whether the server is who the trunk's
// target says. Who may connect, and what a message says, it need not know.
//
// `Stream`: tcp::socket, or a TLS stream over it.
template <typename Stream>
class StreamConnection final : public Connection {
 public:
  static constexpr bool kIsTls = !std::is_same_v<Stream, tcp::socket>;

  template <typename... StreamArguments>
  StreamConnection(ConnectionOwner& owner, const Flow& flow, TlsContext tls, std::string tls_name,
                   StreamArguments&&... arguments)
      : Connection(owner, flow),
        tls_(std::move(tls)),
        tls_name_(std::move(tls_name)),
        stream_(std::forward<StreamArguments>(arguments)...) {}

  void serve() override { handshake(true); }
  void go_on() override {
    if (is_closed()) return;
    heard();
    pop_messages();
  }

  void dial() override {
    stream_.lowest_layer().async_connect(to_asio<tcp::endpoint>(flow().peer),
                                         [this, self = shared_from_this()](error_code failure) {
                                           if (failure) return close();
                                           handshake(false);
                                         });
  }

 private:
  void handshake(bool is_server) {
    prepare(stream_.lowest_layer());
    if constexpr (kIsTls) {
      if (!is_server && !expect_name()) return close();
      records_.watch(stream_.native_handle(), [this] { close_later(); });
      stream_.async_handshake(is_server ? asio::ssl::stream_base::server : asio::ssl::stream_base::client,
                              [this, self = shared_from_this()](error_code failure) {
                                if (failure) return close();
                                begin();
                              });
    } else {
      begin();
    }
  }

  // SNI, and whom the certificate must be of (RFC 5922 §7.2). An address is looked for among its addresses.
  bool expect_name() {
    if constexpr (kIsTls) {
      if (tls_name_.empty()) return true;
      SSL* ssl = stream_.native_handle();
      if (IpAddress::parse(tls_name_))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), tls_name_.c_str()) == 1;
      return SSL_set_tlsext_host_name(ssl, tls_name_.c_str()) == 1 &&
             SSL_set1_host(ssl, tls_name_.c_str()) == 1;
    }
    return true;
  }

  void begin() {
    if (is_closed()) return;
    on_ready();
    read();
  }

  void read() {
    if (is_closed()) return;
    stream_.async_read_some(asio::buffer(buffer_),
                            [this, self = shared_from_this()](error_code failure, std::size_t bytes) {
                              if (failure == asio::error::eof) return on_end_of_input();
                              if (failure) return close();
                              on_read(bytes);
                            });
  }

  void on_read(std::size_t bytes) {
    heard();
    framer_.append({buffer_.data(), bytes});
    pop_messages();
  }

  void pop_messages() {
    for (;;) {
      if (!may_deliver()) return mark_partial(false);  // it is us who are slow
      Framer::Frame frame = framer_.next();
      if (frame.kind == Framer::Frame::Kind::kMessage) {
        deliver(std::move(frame.text));
      } else if (frame.kind == Framer::Frame::Kind::kPing) {
        send("\r\n");  // RFC 5626 §4.4.1
      } else if (frame.kind == Framer::Frame::Kind::kBroken) {
        // What follows cannot be told from the message's body any more: the last response leaves, where there
        // is one, then it closes.
        deliver(std::move(frame.text));
        return finish();
      } else {
        break;
      }
      if (is_closed()) return;
    }
    mark_partial(framer_.holds_partial_message());
    read();
  }

  void close_later() {
    asio::post(stream_.get_executor(), [this, self = shared_from_this()] { close(); });
  }

  void write(const std::string& text) override {
    asio::async_write(stream_, asio::buffer(text),
                      [this, self = shared_from_this()](error_code failure, std::size_t) {
                        if (failure) return close();
                        on_written();
                      });
  }

  void shut() override {
    error_code ignored;
    stream_.lowest_layer().close(ignored);
  }

  const TlsContext tls_;  // must outlive the stream
  const std::string tls_name_;
  TlsRecordGuard records_;  // must too
  Stream stream_;
  Framer framer_;
  std::array<char, 8192> buffer_{};
};

}  // namespace

std::shared_ptr<Connection> make_stream_connection(ConnectionOwner& owner, tcp::socket socket,
                                                   const Flow& flow, TlsContext tls,
                                                   const std::string& tls_name) {
  if (tls == nullptr) {
    return std::make_shared<StreamConnection<tcp::socket>>(owner, flow, nullptr, tls_name, std::move(socket));
  }
  using TlsStream = asio::ssl::stream<tcp::socket>;
  return std::make_shared<StreamConnection<TlsStream>>(owner, flow, tls, tls_name, std::move(socket), *tls);
}

}  // namespace vas::signaling
