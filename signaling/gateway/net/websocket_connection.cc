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

#include "base/asio_endpoint.h"
#include "base/clock.h"
#include "base/text.h"
#include "signaling/gateway/net/connection.h"
#include "signaling/gateway/policy/websocket_door.h"
#include "signaling/sip/sip_message.h"
#include "tls/tls_record_guard.h"

namespace vas::signaling {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using beast::error_code;

// Browsers send cookies along; more is none.
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

// Of a field that may come once.
std::optional<std::string_view> only(const http::request<http::string_body>& request, http::field name) {
  const auto field = request.find(name);
  if (field == request.end() || request.count(name) != 1) return {};
  return to_view(field->value());
}

// Keeps one browser's connection from the upgrade request on. It decides whether the page may come in
// (WebSocketDoor), and when a peer that pings without end has gone too far; deadlines and the order of
// messages are Connection's. What a message says it need not know: each is handed over whole.
//
// `Stream`: tcp::socket, or a TLS stream over it.
template <typename Stream>
class WebSocketConnection final : public Connection {
 public:
  static constexpr bool kIsTls = !std::is_same_v<Stream, tcp::socket>;

  template <typename... StreamArguments>
  WebSocketConnection(ConnectionOwner& owner, const Flow& flow, TlsContext tls, const WebSocketDoor& door,
                      StreamArguments&&... arguments)
      : Connection(owner, flow),
        tls_(std::move(tls)),
        door_(door),
        stream_(std::forward<StreamArguments>(arguments)...) {}

  void serve() override {
    prepare(lowest());
    if constexpr (kIsTls) {
      records_.watch(stream_.next_layer().native_handle(), [this] { close_later(); });
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
    if (const char* why = refusal(request)) return refuse(http::status::forbidden, why);

    stream_.set_option(
        websocket::stream_base::timeout{Connection::kHeaderDeadline, kSilenceBeforePing, true});
    websocket::permessage_deflate deflate;
    deflate.server_enable = false;
    stream_.set_option(deflate);
    stream_.set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
      response.set(http::field::sec_websocket_protocol, "sip");
    }));
    stream_.read_message_max(SipMessage::kMaxBytes);
    stream_.auto_fragment(false);
    stream_.text(true);
    stream_.control_callback([this](websocket::frame_type, beast::string_view) { count_control_frame(); });
    stream_.async_accept(request, [this, self = shared_from_this()](error_code failure) {
      if (failure || is_closed()) return close();
      parser_.reset();
      let_wait();
      on_ready();
      read();
    });
  }

  const char* refusal(const http::request<http::string_body>& request) {
    error_code gone;
    const auto reached = from_asio(lowest().local_endpoint(gone));
    WebSocketDoor::Request asked{only(request, http::field::host).value_or(""), {}, reached.address, kIsTls};
    // Several are none that may.
    if (request.count(http::field::origin) != 0)
      asked.origin = only(request, http::field::origin).value_or("");
    return door_.refusal(asked);
  }

  void refuse(http::status status, const char* why) {
    reply_ = http::response<http::string_body>(status, 11);
    reply_.set(http::field::content_type, "text/plain");
    reply_.set(http::field::connection, "close");
    if (status == http::status::upgrade_required) reply_.set(http::field::upgrade, "websocket");
    reply_.body() = why;
    reply_.prepare_payload();
    http::async_write(stream_.next_layer(), reply_,
                      [this, self = shared_from_this()](error_code, std::size_t) { close(); });
  }

  void count_control_frame() {
    const Time now = monotonic_now();
    if (now - window_began_ > kControlWindow) {
      window_began_ = now;
      control_frames_ = 0;
    }
    heard();
    if (++control_frames_ == kMaxControlFrames) close_later();
  }

  // Beast, or OpenSSL, is inside a read now; it must not be closed under its hands.
  void close_later() {
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
    if (stream_.is_message_done()) return deliver_when_possible();
    mark_partial(true);
    read();
  }

  void go_on() override {
    if (is_closed()) return;
    heard();
    deliver_when_possible();
  }

  void deliver_when_possible() {
    if (!may_deliver()) return mark_partial(false);  // it is us who are slow
    const std::string_view text(static_cast<const char*>(buffer_.data().data()), buffer_.size());
    const bool is_keep_alive = text.find_first_not_of("\r\n") == std::string_view::npos;
    if (is_keep_alive) {
      mark_partial(false);
      if (text.size() > 2) send("\r\n");  // a ping, and not a pong (RFC 5626 §4.4.1)
    } else {
      deliver(std::string(text));
    }
    buffer_.consume(buffer_.size());
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
  const WebSocketDoor& door_;
  TlsRecordGuard records_;  // must too
  websocket::stream<Stream> stream_;
  beast::flat_buffer buffer_{2 * SipMessage::kMaxBytes};
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> reply_;
  Time window_began_{};
  int control_frames_ = 0;
};

}  // namespace

std::shared_ptr<Connection> make_websocket_connection(ConnectionOwner& owner, tcp::socket socket,
                                                      const Flow& flow, TlsContext tls,
                                                      const WebSocketDoor& door) {
  if (tls == nullptr)
    return std::make_shared<WebSocketConnection<tcp::socket>>(owner, flow, nullptr, door, std::move(socket));

  using TlsStream = asio::ssl::stream<tcp::socket>;
  return std::make_shared<WebSocketConnection<TlsStream>>(owner, flow, tls, door, std::move(socket), *tls);
}

}  // namespace vas::signaling
