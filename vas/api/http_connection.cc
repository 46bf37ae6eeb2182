#include "vas/api/http_connection.h"

#include <boost/asio/buffer.hpp>
#include <iterator>
#include <utility>

#include "base/clock.h"
#include "vas/api/client_address.h"
#include "vas/api/problem.h"

namespace vas::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

// From its first byte: who dribbles a request holds a place no longer.
constexpr auto kRequestDeadline = std::chrono::seconds(10);
// A proxy's own has to be shorter (docs/configuration.md).
constexpr auto kIdleDeadline = std::chrono::seconds(60);
// An API request as a rule; a waiting poll holds no more.
constexpr std::size_t kFirstReadBytes = 2048;

class OneReply final : public Responder {
 public:
  explicit OneReply(std::shared_ptr<HttpConnection> connection) : connection_(std::move(connection)) {}
  void send(HttpReply reply) override {
    if (const auto connection = std::exchange(connection_, nullptr)) connection->send(std::move(reply));
  }
  void watch_client(std::function<void()> gone) override {
    if (connection_) connection_->watch(std::move(gone));
  }
  void vouch(std::int64_t owner) override {
    if (connection_) connection_->vouch(owner);
  }

 private:
  std::shared_ptr<HttpConnection> connection_;
};

}  // namespace

// Idle until the first byte of a request; from it on, the whole request has one deadline.
void HttpConnection::read() {
  thread_check_.check();
  is_replying_ = keeps_alive_ = is_head_ = false;
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

void HttpConnection::read_head() {
  stream_.async_read_some(buffer_.prepare(kFirstReadBytes),
                          [self = shared_from_this()](beast::error_code failure, std::size_t size) {
                            if (failure) return self->on_read_failure(failure);
                            self->buffer_.commit(size);
                            self->on_head();
                          });
}

// The whole head is there before the parser sees any of it.
void HttpConnection::on_head() {
  thread_check_.check();
  switch (head_.parse(unparsed().substr(head_.size()))) {
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
void HttpConnection::read_body() {
  const auto length = parser_->content_length();
  const std::size_t bytes = length ? static_cast<std::size_t>(*length) : HttpServer::kMaxBodyBytes;
  const bool is_from_proxy = is_proxy(peer_, shared_->config.proxies);
  body_pool_ = shared_->shows_key(head()) ? &shared_->bodies : &shared_->bodies_of_strangers;
  const bool is_taken = is_from_proxy
                            ? body_pool_->draw(source_block(peer_), bytes, HttpServer::kMaxBodiesBytes)
                            : body_pool_->draw(source_block(peer_), bytes);
  if (!is_taken) {
    ++shared_->counters.bodies_refused;
    HttpReply busy = problem(503, "Too many bodies are being read. Try again in a moment.", true);
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

void HttpConnection::give_back_body() {
  if (const std::size_t bytes = std::exchange(body_bytes_, 0))
    body_pool_->give_back(source_block(peer_), bytes);
}

// What is known of the request before its body comes.
HttpRequest HttpConnection::head() const {
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

std::size_t HttpConnection::fields() const {
  const auto& fields = parser_->get();
  return static_cast<std::size_t>(std::distance(fields.begin(), fields.end()));
}

// Every field of the request that has this name, in order. (RFC 9110 §5.3)
std::string HttpConnection::all_of(std::string_view name) const {
  std::string all;
  const auto [begin, end] = parser_->get().equal_range(name);
  for (auto field = begin; field != end; ++field)
    all.append(all.empty() ? "" : ",").append(field->value().data(), field->value().size());
  return all;
}

void HttpConnection::refuse(int status, const std::string& detail) {
  ++shared_->counters.bad_requests;
  send(problem(status, detail, true));
}

void HttpConnection::on_read_failure(const beast::error_code& failure) {
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

void HttpConnection::handle() {
  expires_never();
  HttpRequest request = head();
  auto message = parser_->release();
  request.body = std::move(message.body());
  keeps_alive_ = message.keep_alive();
  is_head_ = message.method() == http::verb::head;
  // What a long poll would hold for nothing.
  parser_.reset();
  buffer_.shrink_to_fit();
  shared_->handler(request, std::make_shared<OneReply>(shared_from_this()));
  give_back_body();
}

// Another takes its place.
void HttpConnection::close() {
  thread_check_.check();
  const auto self = shared_from_this();  // who waits may hold the last of it
  if (const auto gone = std::exchange(gone_, nullptr)) gone();
  delay_.cancel();
  expires_never();
  stream_.close();
}

// Whatever is under way by then is given up.
void HttpConnection::expires_after(Duration time) {
  deadline_.expires_after(time);
  deadline_.async_wait([weak = weak_from_this()](beast::error_code failure) {
    const auto self = weak.lock();
    const bool is_due = self && !failure && self->deadline_.expiry() <= std::chrono::steady_clock::now();
    if (is_due) self->stream_.close();
  });
}

void HttpConnection::vouch(std::int64_t owner) {
  thread_check_.check();
  shared_->shares.vouch(id_, owner);
  if (!std::exchange(is_proved_, true) && is_secure_ && shared_->door) shared_->door->prove(peer_);
}

void HttpConnection::send(HttpReply reply) {
  thread_check_.check();
  if (is_replying_) return;
  is_replying_ = true;
  gone_ = nullptr;
  const bool keeps_alive = keeps_alive_ && !reply.closes;
  const std::size_t length = reply.body.size();
  response_.emplace(static_cast<http::status>(reply.status), 11);
  response_->set(http::field::date, to_http_date(wall_now()));
  response_->set(http::field::server, "VAS");
  response_->set(http::field::cache_control, "no-store");
  if (length != 0) response_->set(http::field::content_type, reply.content_type);
  for (const auto& [name, value] : reply.headers) response_->set(name, value);
  response_->keep_alive(keeps_alive);
  if (!is_head_) response_->body() = std::move(reply.body);
  if (reply.status == 204) {
    response_->erase(http::field::content_length);
  } else {
    // Set by hand: for 205 the library would leave the length of a body out, and this API sends one there.
    // Of HEAD it is what GET would have brought (RFC 9110 §9.3.2).
    response_->content_length(length);
  }
  if (reply.delay == Duration::zero()) return write(keeps_alive);
  delay_.expires_after(reply.delay);
  delay_.async_wait([self = shared_from_this(), keeps_alive](beast::error_code failure) {
    if (!failure) self->write(keeps_alive);
  });
}

void HttpConnection::write(bool keeps_alive) {
  expires_after(kRequestDeadline);
  http::async_write(stream_, *response_,
                    [self = shared_from_this(), keeps_alive](beast::error_code failure, std::size_t) {
                      if (failure) return;
                      self->response_.reset();
                      if (keeps_alive) return self->read();
                      self->stream_.finish();
                    });
}

void HttpConnection::watch(std::function<void()> gone) {
  thread_check_.check();
  gone_ = std::move(gone);
  wait_for_close();
}

// A readable socket with nothing to read is a client that left.
// Bytes there are its next request: it is alive.
void HttpConnection::wait_for_close() {
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

}  // namespace vas::api
