#include "vas/api/http_server.h"

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstring>
#include <iterator>
#include <optional>
#include <unordered_map>

#include "vas/api/byte_stream.h"
#include "vas/api/client_address.h"
#include "vas/api/connection_shares.h"
#include "vas/api/http_head.h"
#include "vas/api/problem.h"
#include "vas/base/clock.h"
#include "vas/base/shared_budget.h"
#include "vas/base/socket_options.h"

namespace vas::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

// From its first byte: who dribbles a request holds a place no longer.
constexpr auto kRequestDeadline = std::chrono::seconds(10);
// A proxy's own has to be shorter (docs/configuration.md).
constexpr auto kIdleDeadline = std::chrono::seconds(60);
// An API request as a rule; a waiting poll holds no more.
constexpr std::size_t kFirstReadBytes = 2048;
// Of what is read and not yet parsed: a chunk's size, an extension, a trailer have no longer lines than this.
constexpr std::size_t kMaxUnparsedBytes = 32 * 1024;

// Of a client that waits for a call and says nothing: gone within a minute, and no middlebox forgets it.
constexpr TcpKeepAlive kKeepAlive{
    .idle = std::chrono::seconds(30), .between = std::chrono::seconds(10), .probes = 3};
// Handed over by the door of TLS, and not taken up by control yet.
constexpr int kMaxGuestsWaiting = 1024;

constexpr auto kAcceptRetry =
    std::chrono::milliseconds(100);  // after a failure, such as no descriptor being left

class Connection;

// What connections share with their server, and may outlive it with: a handler of the loop keeps a connection
// until the loop itself goes.
struct Shared {
  Shared(HttpHandler to, HeadCheck check, const HttpServerConfig& from)
      : handler(std::move(to)),
        shows_key(std::move(check)),
        config(from),
        shares(places_of(from), from.strangers_of_address) {}
  // Who is still at the door of TLS has a descriptor of these too.
  static std::size_t newcomers_of(const HttpServerConfig& config) {
    return config.tls.listen.empty() ? 0 : std::min(config.tls.max_newcomers, config.max_connections / 4);
  }
  static std::size_t places_of(const HttpServerConfig& config) {
    return std::min(config.max_connections, HttpServer::kMaxConnections) - newcomers_of(config);
  }

  const HttpHandler handler;
  const HeadCheck shows_key;
  const HttpServerConfig config;
  ConnectionShares shares;
  SharedBudget<IpAddress, IpAddressHash> bodies{HttpServer::kMaxBodiesBytes, HttpServer::kMaxBodiesOfAddress};
  // Of who shows no right key: they take nothing of what the others have.
  SharedBudget<IpAddress, IpAddressHash> bodies_of_strangers{HttpServer::kMaxBodiesOfStrangers,
                                                             HttpServer::kMaxBodiesOfStrangers / 8};
  std::unordered_map<ConnectionShares::Id, Connection*> open;
  ConnectionShares::Id next_id = 1;
  HttpCounters counters;
  std::unique_ptr<TlsDoor> door;
  std::atomic<int> guests_waiting{0};
};

// Keeps one client's connection: what was read and not parsed, the request that is being answered, its
// deadlines, and what its body takes of the shares. It decides whether a request can be read in one way only,
// and closes where it cannot. What is asked for, and by whom, it need not know: the handler says so
// (Responder::vouch).
//
// Threads: control only. Lifetime: held by its own pending operations, and by who owes it a reply.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Shared> shared, ConnectionShares::Id id, ByteStream::Socket socket,
             TlsSession tls, const IpAddress& peer)
      : shared_(std::move(shared)),
        id_(id),
        peer_(peer),
        is_secure_(tls.ssl != nullptr),
        stream_(std::move(socket), std::move(tls)),
        deadline_(stream_.get_executor()),
        delay_(stream_.get_executor()) {
    shared_->open.emplace(id_, this);
  }
  ~Connection() {
    give_back_body();
    shared_->shares.remove(id_);
    shared_->open.erase(id_);
  }
  void read();
  void send(HttpResponse response);
  void watch(std::function<void()> gone);
  void vouch(std::int64_t owner);
  void close();

 private:
  void read_head();
  void on_head();
  void read_body();
  void handle();
  void refuse(int status, const std::string& detail);
  void on_read_failure(const beast::error_code& failure);
  void write(bool keeps_alive);
  void wait_for_close();
  void expires_after(Duration time);
  void expires_never() { deadline_.expires_at(asio::steady_timer::time_point::max()); }
  void give_back_body();
  HttpRequest head() const;
  std::string all_of(std::string_view name) const;
  std::size_t fields() const;
  std::string_view unparsed() const {
    return {static_cast<const char*>(buffer_.data().data()), buffer_.size()};
  }

  const std::shared_ptr<Shared> shared_;
  const ConnectionShares::Id id_;
  const IpAddress peer_;
  const bool is_secure_;
  bool is_proved_ = false;
  ByteStream stream_;
  asio::steady_timer deadline_;
  asio::steady_timer delay_;
  beast::flat_buffer buffer_{kMaxUnparsedBytes};
  HeadScanner head_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::size_t fields_of_head_ = 0;
  SharedBudget<IpAddress, IpAddressHash>* body_pool_ = nullptr;
  std::size_t body_bytes_ = 0;  // set aside of it
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
  void vouch(std::int64_t owner) override {
    if (connection_) connection_->vouch(owner);
  }

 private:
  std::shared_ptr<Connection> connection_;
};

// Keeps the listening socket, and the door of TLS where there is one. It decides who gets a place and who
// makes room for him (ConnectionShares). Connections live on by themselves.
class HttpServerImpl final : public HttpServer {
 public:
  HttpServerImpl(asio::io_context& context, const HttpServerConfig& config, HttpHandler handler,
                 HeadCheck shows_key)
      : acceptor_(context),
        retry_timer_(context),
        shared_(std::make_shared<Shared>(std::move(handler), std::move(shows_key), config)) {}
  ~HttpServerImpl() override { shared_->door.reset(); }
  void open(const tcp::endpoint& endpoint) {
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen();
    accept();
  }
  Result<bool> open_door() {
    if (shared_->config.tls.listen.empty()) return true;
    TlsDoorConfig config = shared_->config.tls;
    config.max_newcomers = Shared::newcomers_of(shared_->config);
    config.proxies = shared_->config.proxies;
    auto door = TlsDoor::open(
        config, [executor = acceptor_.get_executor(), weak = std::weak_ptr(shared_)](
                    std::shared_ptr<TlsGuest> guest) { take_in(executor, weak, std::move(guest)); });
    if (!door) return Error{door.error()};
    shared_->door = std::move(*door);
    return true;
  }
  Endpoint listening() const override {
    sockaddr_storage storage{};
    const auto local = acceptor_.local_endpoint();
    std::memcpy(&storage, local.data(), local.size());
    return *Endpoint::from_sockaddr(storage);
  }
  HttpCounters counters() const override {
    HttpCounters counters = shared_->counters;
    counters.connections = shared_->shares.size();
    counters.body_bytes = shared_->bodies.taken() + shared_->bodies_of_strangers.taken();
    if (shared_->door) {
      counters.handshakes = shared_->door->counters().handshakes;
      counters.handshakes_refused = shared_->door->counters().handshakes_refused;
      counters.handshakes_failed = shared_->door->counters().handshakes_failed;
    }
    return counters;
  }
  TlsDoor* door() const override { return shared_->door.get(); }

 private:
  void accept() {
    acceptor_.async_accept([this](beast::error_code failure, auto socket) {
      if (failure == asio::error::operation_aborted) return;
      if (failure) return retry();
      serve(shared_, std::move(socket));
      accept();
    });
  }
  // On the door's thread.
  static void take_in(const asio::io_context::executor_type& executor, const std::weak_ptr<Shared>& to,
                      std::shared_ptr<TlsGuest> guest) {
    const auto shared = to.lock();
    if (!shared || shared->guests_waiting >= kMaxGuestsWaiting) return;
    ++shared->guests_waiting;
    asio::post(executor, [to, executor, guest = std::move(guest)] {
      const auto taker = to.lock();
      if (!taker) return;
      --taker->guests_waiting;
      ByteStream::Socket socket(executor);
      beast::error_code failure;
      socket.assign(guest->peer.family == AddressFamily::kIpv4 ? tcp::v4() : tcp::v6(), guest->socket,
                    failure);
      if (failure) return;
      guest->take_socket();
      serve(taker, std::move(socket), guest->peer, std::move(guest->tls));
    });
  }
  static void serve(const std::shared_ptr<Shared>& shared, ByteStream::Socket socket) {
    beast::error_code failure;
    const auto peer = socket.remote_endpoint(failure);
    if (failure) return;  // gone already
    sockaddr_storage storage{};
    std::memcpy(&storage, peer.data(), peer.size());
    serve(shared, std::move(socket), Endpoint::from_sockaddr(storage)->address, {});
  }
  static void serve(const std::shared_ptr<Shared>& shared, ByteStream::Socket socket,
                    const IpAddress& address, TlsSession tls) {
    const auto id = shared->next_id++;
    const auto place = shared->shares.add(id, address, is_proxy(address, shared->config.proxies));
    if (!place.is_taken) {
      ++shared->counters.no_place;
      return;
    }
    if (place.makes_room) {
      ++shared->counters.made_room;
      const auto found = shared->open.find(*place.makes_room);
      if (found != shared->open.end()) found->second->close();
    }
    keep_alive(socket.native_handle(), kKeepAlive);
    beast::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    std::make_shared<Connection>(shared, id, std::move(socket), std::move(tls), address)->read();
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
  head_ = {};
  if (buffer_.size() > 0) {
    expires_after(kRequestDeadline);
    return on_head();
  }
  expires_after(kIdleDeadline);
  stream_.async_read_some(buffer_.prepare(kFirstReadBytes),
                          [self = shared_from_this()](beast::error_code failure, std::size_t size) {
                            if (failure) return self->on_read_failure(failure);
                            self->expires_after(kRequestDeadline);
                            self->buffer_.commit(size);
                            self->on_head();
                          });
}

void Connection::read_head() {
  stream_.async_read_some(buffer_.prepare(kFirstReadBytes),
                          [self = shared_from_this()](beast::error_code failure, std::size_t size) {
                            if (failure) return self->on_read_failure(failure);
                            self->buffer_.commit(size);
                            self->on_head();
                          });
}

// The whole head is there before the parser sees any of it.
void Connection::on_head() {
  switch (head_.take(unparsed().substr(head_.size()))) {
    case HeadScanner::Verdict::kMore:
      if (buffer_.size() < HttpServer::kMaxHeadBytes) return read_head();
      return refuse(400, "Start line and headers are over 16 KiB. Send fewer.");
    case HeadScanner::Verdict::kBad:
      return refuse(400, "The request is not HTTP/1.1: a line is folded, or has a stray control character.");
    case HeadScanner::Verdict::kWhole: break;
  }
  if (head_.size() > HttpServer::kMaxHeadBytes)
    return refuse(400, "Start line and headers are over 16 KiB. Send fewer.");
  if (const auto fault = fault_of_head(unparsed().substr(0, head_.size()))) return refuse(400, *fault);
  parser_.emplace();
  parser_->body_limit(HttpServer::kMaxBodyBytes);
  parser_->header_limit(HttpServer::kMaxHeadBytes);
  beast::error_code failure;
  buffer_.consume(parser_->put(asio::buffer(unparsed().substr(0, head_.size())), failure));
  if (failure) return on_read_failure(failure);
  fields_of_head_ = fields();
  if (parser_->is_done()) return handle();
  read_body();
}

// Memory is set aside before the body comes: for all that say they bring one, not for all that have.
void Connection::read_body() {
  const auto length = parser_->content_length();
  const std::size_t bytes = length ? static_cast<std::size_t>(*length) : HttpServer::kMaxBodyBytes;
  const bool is_from_proxy = is_proxy(peer_, shared_->config.proxies);
  body_pool_ = shared_->shows_key(head()) ? &shared_->bodies : &shared_->bodies_of_strangers;
  const bool is_taken = is_from_proxy
                            ? body_pool_->take(source_block(peer_), bytes, HttpServer::kMaxBodiesBytes)
                            : body_pool_->take(source_block(peer_), bytes);
  if (!is_taken) {
    ++shared_->counters.bodies_refused;
    HttpResponse busy = problem(503, "Too many bodies are being read. Try again in a moment.", true);
    busy.headers.emplace_back("Retry-After", "1");
    return send(std::move(busy));
  }
  body_bytes_ = bytes;
  parser_->eager(true);
  http::async_read(stream_, buffer_, *parser_,
                   [self = shared_from_this()](beast::error_code failure, std::size_t) {
                     if (failure) return self->on_read_failure(failure);
                     // A trailer may not say what the head did not: who reads one takes it for a header.
                     if (self->fields() != self->fields_of_head_)
                       return self->refuse(400, "Trailers are not taken. Send all fields in the head.");
                     self->handle();
                   });
}

void Connection::give_back_body() {
  if (const std::size_t bytes = std::exchange(body_bytes_, 0))
    body_pool_->give_back(source_block(peer_), bytes);
}

// What is known of the request before its body comes.
HttpRequest Connection::head() const {
  const auto& message = parser_->get();
  const std::string target(message.target());
  const auto mark = target.find('?');
  return {.client = client_of(peer_, all_of("X-Forwarded-For"), shared_->config.proxies),
          .method = std::string(message.method_string()),
          .path = target.substr(0, mark),
          .query = mark == std::string::npos ? std::string() : target.substr(mark + 1),
          .authorization = std::string(message[http::field::authorization]),
          .content_type = std::string(message[http::field::content_type]),
          .origin = std::string(message[http::field::origin]),
          .asked_method = std::string(message[http::field::access_control_request_method]),
          .idempotency_key = all_of("Idempotency-Key")};
}

std::size_t Connection::fields() const {
  const auto& fields = parser_->get();
  return static_cast<std::size_t>(std::distance(fields.begin(), fields.end()));
}

// Every field of the request that has this name, in order. (RFC 9110 §5.3)
std::string Connection::all_of(std::string_view name) const {
  std::string all;
  const auto [begin, end] = parser_->get().equal_range(name);
  for (auto field = begin; field != end; ++field)
    all.append(all.empty() ? "" : ",").append(field->value().data(), field->value().size());
  return all;
}

void Connection::refuse(int status, const std::string& detail) {
  ++shared_->counters.bad_requests;
  send(problem(status, detail, true));
}

void Connection::on_read_failure(const beast::error_code& failure) {
  give_back_body();
  if (failure == http::error::body_limit) {
    return send(problem(413, "The body is over 256 KiB. Send a smaller one.", true));
  }
  const bool is_silent = failure == asio::error::eof || failure == http::error::end_of_stream ||
                         failure == asio::error::operation_aborted ||
                         failure == asio::error::connection_reset ||
                         failure == http::error::partial_message || failure == asio::error::bad_descriptor;
  if (is_silent) return stream_.finish();
  refuse(400, "The request is not HTTP/1.1: " + failure.message() + ".");
}

void Connection::handle() {
  expires_never();
  HttpRequest request = head();
  auto message = parser_->release();
  request.body = std::move(message.body());
  keeps_alive_ = message.keep_alive();
  is_head_ = message.method() == http::verb::head;
  // What a long poll would hold for nothing.
  parser_.reset();
  buffer_.shrink_to_fit();
  shared_->handler(request, std::make_shared<OneAnswer>(shared_from_this()));
  give_back_body();
}

// Another takes its place.
void Connection::close() {
  const auto self = shared_from_this();  // who waits may hold the last of it
  if (const auto gone = std::exchange(gone_, nullptr)) gone();
  delay_.cancel();
  expires_never();
  stream_.close();
}

// Whatever is under way by then is given up.
void Connection::expires_after(Duration time) {
  deadline_.expires_after(time);
  deadline_.async_wait([weak = weak_from_this()](beast::error_code failure) {
    const auto self = weak.lock();
    const bool is_due = self && !failure && self->deadline_.expiry() <= std::chrono::steady_clock::now();
    if (is_due) self->stream_.close();
  });
}

void Connection::vouch(std::int64_t owner) {
  shared_->shares.vouch(id_, owner);
  if (!std::exchange(is_proved_, true) && is_secure_ && shared_->door) shared_->door->prove(peer_);
}

void Connection::send(HttpResponse answer) {
  if (is_answering_) return;
  is_answering_ = true;
  gone_ = nullptr;
  const bool keeps_alive = keeps_alive_ && !answer.closes;
  const std::size_t length = answer.body.size();
  response_.emplace(static_cast<http::status>(answer.status), 11);
  response_->set(http::field::date, to_http_date(wall_now()));
  response_->set(http::field::server, "VAS");
  response_->set(http::field::cache_control, "no-store");
  if (length != 0) response_->set(http::field::content_type, answer.content_type);
  for (const auto& [name, value] : answer.headers) response_->set(name, value);
  response_->keep_alive(keeps_alive);
  if (!is_head_) response_->body() = std::move(answer.body);
  if (answer.status == 204) {
    response_->erase(http::field::content_length);
  } else {
    // Set by hand: for 205 the library would leave the length of a body out, and this API sends one there.
    // Of HEAD it is what GET would have brought (RFC 9110 §9.3.2).
    response_->content_length(length);
  }
  if (answer.delay == Duration::zero()) return write(keeps_alive);
  delay_.expires_after(answer.delay);
  delay_.async_wait([self = shared_from_this(), keeps_alive](beast::error_code failure) {
    if (!failure) self->write(keeps_alive);
  });
}

void Connection::write(bool keeps_alive) {
  expires_after(kRequestDeadline);
  http::async_write(stream_, *response_,
                    [self = shared_from_this(), keeps_alive](beast::error_code failure, std::size_t) {
                      if (failure) return;
                      self->response_.reset();
                      if (keeps_alive) return self->read();
                      self->stream_.finish();
                    });
}

void Connection::watch(std::function<void()> gone) {
  gone_ = std::move(gone);
  wait_for_close();
}

// A readable socket with nothing to read is a client that left. Bytes there are its next request: it is
// alive.
void Connection::wait_for_close() {
  stream_.async_wait_readable([weak = weak_from_this()](beast::error_code failure) {
    const auto self = weak.lock();
    if (!self || failure || !self->gone_) return;
    switch (self->stream_.peek()) {
      case ByteStream::Peek::kBytes: return;
      case ByteStream::Peek::kNothing: return self->wait_for_close();
      case ByteStream::Peek::kGone: break;
    }
    const auto gone = std::exchange(self->gone_, nullptr);
    gone();
    self->stream_.finish();
  });
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::open(asio::io_context& context,
                                                     const HttpServerConfig& config, HttpHandler handler,
                                                     HeadCheck shows_key) {
  auto server = std::make_unique<HttpServerImpl>(context, config, std::move(handler), std::move(shows_key));
  try {
    const auto address = asio::ip::make_address(vas::to_string(config.listen.address));
    server->open({address, config.listen.port});
  } catch (const boost::system::system_error& failure) {
    return Error{"cannot listen for HTTP at " + to_string(config.listen) + ": " + failure.code().message()};
  }
  if (auto opened = server->open_door(); !opened) return Error{opened.error()};
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace vas::api
