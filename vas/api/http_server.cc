#include "vas/api/http_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstring>
#include <optional>

#include "vas/api/problem.h"

namespace vas::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr auto kRequestDeadline = std::chrono::seconds(10);
constexpr auto kIdleDeadline = std::chrono::seconds(60);
constexpr std::size_t kMaxHeaderBytes = 16 * 1024;
constexpr std::size_t kFirstReadBytes = 2048;

using Stream = beast::basic_stream<tcp, asio::io_context::executor_type>;

constexpr auto kAcceptRetry =
    std::chrono::milliseconds(100);  // after a failure, such as no descriptor being left

// What connections share with their server, and may outlive it with: a handler of the loop keeps a connection
// until the loop itself goes.
struct Shared {
  HttpHandler handler;
  std::size_t max_connections = 0;
  std::size_t open_connections = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Shared> shared, Stream stream)
      : shared_(std::move(shared)), stream_(std::move(stream)) {
    ++shared_->open_connections;
  }
  ~Connection() { --shared_->open_connections; }
  void read();
  void send(HttpResponse response);
  void watch(std::function<void()> gone);

 private:
  void read_request();
  void handle();
  void on_read_failure(const beast::error_code& failure);
  void wait_for_close();

  const std::shared_ptr<Shared> shared_;
  Stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> response_;
  std::function<void()> gone_;
  bool is_answering_ = false;
  bool keeps_alive_ = false;  // as the request that is being answered wants it
  bool is_head_ = false;
};

class OneAnswer final : public Responder {
 public:
  explicit OneAnswer(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  void send(HttpResponse response) override {
    if (const auto connection = std::exchange(connection_, nullptr)) connection->send(std::move(response));
  }
  void watch_client(std::function<void()> gone) override {
    if (connection_) connection_->watch(std::move(gone));
  }

 private:
  std::shared_ptr<Connection> connection_;
};

class HttpServerImpl final : public HttpServer {
 public:
  HttpServerImpl(asio::io_context& context, HttpHandler handler, std::size_t max_connections)
      : acceptor_(context),
        retry_timer_(context),
        shared_(std::make_shared<Shared>(Shared{std::move(handler), max_connections})) {}
  void open(const tcp::endpoint& endpoint) {
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen();
    accept();
  }
  Endpoint listening() const override {
    sockaddr_storage storage{};
    const auto local = acceptor_.local_endpoint();
    std::memcpy(&storage, local.data(), local.size());
    return *Endpoint::from_sockaddr(storage);
  }

 private:
  void accept() {
    acceptor_.async_accept([this](beast::error_code failure, auto socket) {
      if (failure == asio::error::operation_aborted) return;
      if (failure) return retry();
      if (shared_->open_connections < shared_->max_connections) {
        std::make_shared<Connection>(shared_, Stream(std::move(socket)))->read();
      }
      accept();
    });
  }
  void retry() {
    retry_timer_.expires_after(kAcceptRetry);
    retry_timer_.async_wait([this](beast::error_code failure) {
      if (!failure) accept();
    });
  }

  asio::basic_socket_acceptor<tcp, asio::io_context::executor_type> acceptor_;
  asio::steady_timer retry_timer_;
  const std::shared_ptr<Shared> shared_;
};

// Idle until the first byte of a request; from it on, the whole request has one deadline.
void Connection::read() {
  is_answering_ = keeps_alive_ = is_head_ = false;
  parser_.emplace();
  parser_->body_limit(HttpServer::kMaxBodyBytes);
  parser_->header_limit(kMaxHeaderBytes);
  if (buffer_.size() > 0) return read_request();
  stream_.expires_after(kIdleDeadline);
  stream_.async_read_some(buffer_.prepare(kFirstReadBytes),
                          [self = shared_from_this()](beast::error_code failure, std::size_t size) {
                            if (failure) return self->on_read_failure(failure);
                            self->buffer_.commit(size);
                            self->read_request();
                          });
}

void Connection::read_request() {
  stream_.expires_after(kRequestDeadline);
  http::async_read(stream_, buffer_, *parser_,
                   [self = shared_from_this()](beast::error_code failure, std::size_t) {
                     if (failure) return self->on_read_failure(failure);
                     self->handle();
                   });
}

void Connection::on_read_failure(const beast::error_code& failure) {
  if (failure == http::error::body_limit) {
    return send(problem(413, "The body is over 256 KiB. Send a smaller one.", true));
  }
  const bool is_silent = failure == asio::error::eof || failure == http::error::end_of_stream ||
                         failure == beast::error::timeout || failure == asio::error::operation_aborted ||
                         failure == asio::error::connection_reset || failure == http::error::partial_message;
  if (is_silent) return;
  send(problem(400, "The request is not HTTP/1.1: " + failure.message() + ".", true));
}

void Connection::handle() {
  stream_.expires_never();
  auto message = parser_->release();
  const std::string target(message.target());
  const auto mark = target.find('?');
  HttpRequest request{.method = std::string(message.method_string()),
                      .path = target.substr(0, mark),
                      .query = mark == std::string::npos ? std::string() : target.substr(mark + 1),
                      .authorization = std::string(message[http::field::authorization]),
                      .content_type = std::string(message[http::field::content_type]),
                      .body = std::move(message.body())};
  keeps_alive_ = message.keep_alive();
  is_head_ = message.method() == http::verb::head;
  // What a long poll would hold for nothing.
  parser_.reset();
  buffer_.shrink_to_fit();
  shared_->handler(request, std::make_shared<OneAnswer>(shared_from_this()));
}

void Connection::send(HttpResponse answer) {
  if (is_answering_) return;
  is_answering_ = true;
  gone_ = nullptr;
  const bool keeps_alive = keeps_alive_ && !answer.closes;
  if (is_head_) answer.body.clear();
  response_.emplace(static_cast<http::status>(answer.status), 11);
  response_->set(http::field::server, "VAS");
  response_->set(http::field::cache_control, "no-store");
  if (!answer.body.empty()) response_->set(http::field::content_type, answer.content_type);
  for (const auto& [name, value] : answer.headers) response_->set(name, value);
  response_->keep_alive(keeps_alive);
  response_->body() = std::move(answer.body);
  if (answer.status == 204) {
    response_->erase(http::field::content_length);
  } else {
    // Set by hand: for 205 the library would leave the length of a body out, and this API sends one there.
    response_->content_length(response_->body().size());
  }
  stream_.expires_after(kRequestDeadline);
  http::async_write(stream_, *response_,
                    [self = shared_from_this(), keeps_alive](beast::error_code failure, std::size_t) {
                      if (failure) return;
                      self->response_.reset();
                      if (keeps_alive) return self->read();
                      beast::error_code ignored;
                      self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
                    });
}

void Connection::watch(std::function<void()> gone) {
  gone_ = std::move(gone);
  wait_for_close();
}

// A readable socket with nothing to read is a client that left. Bytes there are its next request: it is
// alive.
void Connection::wait_for_close() {
  stream_.socket().async_wait(tcp::socket::wait_read, [weak = weak_from_this()](beast::error_code failure) {
    const auto self = weak.lock();
    if (!self || failure || !self->gone_) return;
    char byte = 0;
    const ssize_t peeked = ::recv(self->stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (peeked != 0 && !(peeked < 0 && errno != EAGAIN)) return;
    const auto gone = std::exchange(self->gone_, nullptr);
    gone();
  });
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::open(asio::io_context& context, const Endpoint& listen,
                                                     HttpHandler handler, std::size_t max_connections) {
  auto server = std::make_unique<HttpServerImpl>(context, std::move(handler),
                                                 std::min(max_connections, kMaxConnections));
  try {
    const auto address = asio::ip::make_address(vas::to_string(listen.address));
    server->open({address, listen.port});
  } catch (const boost::system::system_error& failure) {
    return Error{"cannot listen for HTTP at " + to_string(listen) + ": " + failure.code().message()};
  }
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace vas::api
