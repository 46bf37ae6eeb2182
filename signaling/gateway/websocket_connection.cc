// SIP over WebSocket (RFC 7118): one message a WebSocket message, subprotocol `sip`, no compression.
#include <algorithm>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <optional>

#include "signaling/gateway/connection.h"
#include "signaling/gateway/sip_message.h"
#include "vas/base/clock.h"
#include "vas/base/text.h"

namespace vas::signaling {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using beast::error_code;

constexpr std::uint32_t kMaxUpgradeBytes = 8192;
constexpr auto kSilenceBeforePing = std::chrono::seconds(60);  // twice within it: Beast pings at the half
constexpr int kMaxControlFrames = 60;                          // in each kControlWindow: a ping flood ends
constexpr Duration kControlWindow = std::chrono::seconds(10);

std::string_view to_view(beast::string_view text) { return {text.data(), text.size()}; }

bool offers_sip(const http::request<http::string_body>& request) {
  for (const auto& field : request) {
    if (field.name() != http::field::sec_websocket_protocol) continue;
    for (const std::string_view each : split(to_view(field.value()), ',')) {
      if (equals_ignoring_case(trim(each), "sip")) return true;
    }
  }
  return false;
}

std::string_view without_scheme(std::string_view origin) {
  const auto slashes = origin.find("://");
  return slashes == std::string_view::npos ? std::string_view{} : origin.substr(slashes + 3);
}

std::string_view without_port(std::string_view authority) {
  const auto colon = authority.rfind(':');
  const auto bracket = authority.rfind(']');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  return has_port ? authority.substr(0, colon) : authority;
}

bool may_open(const http::request<http::string_body>& request, const std::vector<std::string>& origins) {
  const auto field = request.find(http::field::origin);
  if (field == request.end()) return true;
  const std::string_view origin = to_view(field->value());
  if (origins.empty()) {
    const std::string_view host = without_port(to_view(request[http::field::host]));
    return !host.empty() && equals_ignoring_case(without_port(without_scheme(origin)), host);
  }
  return std::any_of(origins.begin(), origins.end(), [&](const std::string& each) {
    return each == "*" || equals_ignoring_case(each, origin);
  });
}

// `Stream`: tcp::socket, or a TLS stream over it.
template <typename Stream>
class WebSocketConnection final : public Connection {
 public:
  static constexpr bool kIsTls = !std::is_same_v<Stream, tcp::socket>;

  template <typename... StreamArguments>
  WebSocketConnection(ConnectionOwner& owner, const Flow& flow, TlsContext tls,
                      const std::vector<std::string>& origins, StreamArguments&&... arguments)
      : Connection(owner, flow),
        tls_(std::move(tls)),
        origins_(origins),
        stream_(std::forward<StreamArguments>(arguments)...) {}

  void serve() override {
    error_code ignored;
    lowest().set_option(tcp::no_delay(true), ignored);
    if constexpr (kIsTls) {
      stream_.next_layer().async_handshake(asio::ssl::stream_base::server,
                                           [this, self = shared_from_this()](error_code failure) {
                                             if (failure) return close();
                                             read_upgrade();
                                           });
    } else {
      read_upgrade();
    }
  }

  void dial() override { close(); }  // nobody can be reached that way: browsers do not listen

 private:
  tcp::socket::lowest_layer_type& lowest() { return beast::get_lowest_layer(stream_).lowest_layer(); }

  void read_upgrade() {
    if (is_closed()) return;
    parser_.emplace();
    parser_->header_limit(kMaxUpgradeBytes);
    parser_->body_limit(0);
    http::async_read(stream_.next_layer(), buffer_, *parser_,
                     [this, self = shared_from_this()](error_code failure, std::size_t) {
                       if (failure) return close();
                       on_upgrade();
                     });
  }

  void on_upgrade() {
    const auto& request = parser_->get();
    if (!websocket::is_upgrade(request))
      return refuse(http::status::upgrade_required, "This port speaks SIP over WebSocket (RFC 7118).\n");
    if (!offers_sip(request))
      return refuse(http::status::bad_request, "Sec-WebSocket-Protocol must offer `sip`.\n");
    if (!may_open(request, origins_))
      return refuse(http::status::forbidden, "This Origin may not open connections here: see ws-origin.\n");

    stream_.set_option(
        websocket::stream_base::timeout{Connection::kHeaderDeadline, kSilenceBeforePing, true});
    websocket::permessage_deflate deflate;
    deflate.server_enable = false;
    stream_.set_option(deflate);
    stream_.set_option(websocket::stream_base::decorator(
        [](websocket::response_type& answer) { answer.set(http::field::sec_websocket_protocol, "sip"); }));
    stream_.read_message_max(SipMessage::kMaxBytes);
    stream_.auto_fragment(false);
    stream_.text(true);
    stream_.control_callback([this](websocket::frame_type, beast::string_view) { count_control_frame(); });
    stream_.async_accept(request, [this, self = shared_from_this()](error_code failure) {
      if (failure || is_closed()) return close();
      parser_.reset();
      on_ready();
      read();
    });
  }

  void refuse(http::status status, const char* why) {
    answer_ = http::response<http::string_body>(status, 11);
    answer_.set(http::field::content_type, "text/plain");
    answer_.set(http::field::connection, "close");
    if (status == http::status::upgrade_required) answer_.set(http::field::upgrade, "websocket");
    answer_.body() = why;
    answer_.prepare_payload();
    http::async_write(stream_.next_layer(), answer_,
                      [this, self = shared_from_this()](error_code, std::size_t) { close(); });
  }

  void count_control_frame() {
    const Time now = monotonic_now();
    if (now - window_began_ > kControlWindow) {
      window_began_ = now;
      control_frames_ = 0;
    }
    heard();
    // Beast is inside a read now; it must not be closed under its hands.
    if (++control_frames_ == kMaxControlFrames)
      asio::post(stream_.get_executor(), [this, self = shared_from_this()] { close(); });
  }

  void read() {
    if (is_closed()) return;
    stream_.async_read_some(buffer_, SipMessage::kMaxBytes,
                            [this, self = shared_from_this()](error_code failure, std::size_t) {
                              if (failure) return close();
                              on_read();
                            });
  }

  void on_read() {
    heard();
    if (stream_.is_message_done()) {
      const auto bytes = buffer_.data();
      deliver({static_cast<const char*>(bytes.data()), bytes.size()});
      buffer_.consume(buffer_.size());
    } else {
      note_partial(true);
    }
    read();
  }

  void write(const std::string& text) override {
    stream_.async_write(asio::buffer(text),
                        [this, self = shared_from_this()](error_code failure, std::size_t) {
                          if (failure) return close();
                          on_written();
                        });
  }

  void shut() override {
    error_code ignored;
    lowest().close(ignored);
  }

  const TlsContext tls_;  // must outlive the stream
  const std::vector<std::string>& origins_;
  websocket::stream<Stream> stream_;
  beast::flat_buffer buffer_{2 * SipMessage::kMaxBytes};
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> answer_;
  Time window_began_{};
  int control_frames_ = 0;
};

}  // namespace

std::shared_ptr<Connection> make_websocket_connection(ConnectionOwner& owner, tcp::socket socket,
                                                      const Flow& flow, TlsContext tls,
                                                      const std::vector<std::string>& origins) {
  if (tls == nullptr) {
    return std::make_shared<WebSocketConnection<tcp::socket>>(owner, flow, nullptr, origins,
                                                              std::move(socket));
  }
  using TlsStream = asio::ssl::stream<tcp::socket>;
  return std::make_shared<WebSocketConnection<TlsStream>>(owner, flow, tls, origins, std::move(socket), *tls);
}

}  // namespace vas::signaling
