#include "signaling/gateway/net/streams.h"

#include <pthread.h>

#include <algorithm>
#include <boost/asio/ip/v6_only.hpp>

#include "base/asio_endpoint.h"
#include "base/clock.h"
#include "base/text.h"
#include "signaling/gateway/net/newcomer.h"

namespace vas::signaling {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr Duration kSweep = std::chrono::milliseconds(100);  // few at a time: closing thousands takes a while
constexpr Duration kIdleSweep = std::chrono::seconds(1);     // of no connections
constexpr Duration kReload = std::chrono::seconds(1);        // how often certificates are looked at
// After a failure, such as no descriptor being left.
constexpr Duration kAcceptRetry = std::chrono::milliseconds(100);
// Connections that are read again in one turn when there is room: others have theirs between.
constexpr std::size_t kGoOnEachTurn = 64;
constexpr unsigned char kHandshakeRecord = 22;  // RFC 8446 §5.1

bool needs_handshake(Transport transport) { return is_secure(transport) || is_websocket(transport); }

}  // namespace

Streams::Streams(const TransportsConfig& config, const ListenerTable& listeners, ArrivalInbox& arrivals)
    : config_(config),
      listeners_(listeners),
      arrivals_(arrivals),
      door_(listeners, config.websocket),
      budget_(config.handshakes),
      connections_(config.max_connections, config.max_connections_of_address),
      sweep_timer_(context_),
      orders_reader_(context_, orders_) {}

Streams::~Streams() { stop(); }

Result<bool> Streams::open() {
  auto tls = TlsContexts::open(config_.certificates);
  if (!tls) return Error{tls.error()};
  tls_.emplace(std::move(*tls));
  door_.set_certificate_names(tls_->names());
  return true;
}

error_code Streams::listen(Endpoint& local, Transport transport, std::uint16_t listener) {
  const auto endpoint = to_asio<tcp::endpoint>(local);
  tcp::acceptor acceptor(context_, endpoint.protocol());
  acceptor.set_option(asio::socket_base::reuse_address(true));
  if (local.address.family == AddressFamily::kIpv6) acceptor.set_option(asio::ip::v6_only(true));
  error_code failure;
  acceptor.bind(endpoint, failure);
  if (failure) return failure;
  acceptor.listen();
  local = from_asio(acceptor.local_endpoint());
  acceptors_.push_back(std::make_unique<Acceptor>(Acceptor{std::move(acceptor), transport, listener}));
  return {};
}

void Streams::start() {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "vas-streams");
}

void Streams::stop() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

void Streams::run() {
  orders_reader_.start([this](Order&& order) { obey(std::move(order)); }, [this](bool) { go_on(); });
  for (const auto& acceptor : acceptors_) accept(*acceptor);
  sweep();
  context_.run();
}

// ---- orders: the gateway's thread ----

bool Streams::send(const Flow& flow, std::string&& text, const std::string& tls_name, bool is_repeated) {
  const std::size_t bytes = text.size();
  if (sends_waiting_ >= kMaxSendsWaiting || send_bytes_waiting_ + bytes > kMaxSendBytesWaiting) return false;
  ++sends_waiting_;
  send_bytes_waiting_ += bytes;
  return orders_.push({.kind = Order::Kind::kSend,
                       .flow = flow,
                       .text = std::move(text),
                       .tls_name = tls_name,
                       .is_repeated = is_repeated});
}

void Streams::drop(const IpAddress& peer) {
  if (sends_waiting_ >= kMaxSendsWaiting) return;  // they end by their deadline
  ++sends_waiting_;
  orders_.push({.kind = Order::Kind::kDrop, .flow = {.peer = {peer, 0}}});
}

// There is room for these two: no more arrivals are on their way than orders have room for.
void Streams::welcome_newcomer(const Flow& flow, Welcome welcome) {
  orders_.push({.kind = Order::Kind::kWelcome, .flow = flow, .welcome = welcome});
}

void Streams::confirm_handled(const Arrival& arrival, bool is_good) {
  orders_.push({.kind = Order::Kind::kHandled,
                .flow = arrival.flow,
                .of = arrival.kind,
                .bytes = arrival.text.size(),
                .is_good = is_good});
}

// ---- orders: our thread ----

void Streams::obey(Order&& order) {
  thread_check_.check();
  switch (order.kind) {
    case Order::Kind::kSend: return send_now(std::move(order));
    case Order::Kind::kDrop: --sends_waiting_; return connections_.close_unproved_of(order.flow.peer.address);
    case Order::Kind::kWelcome: return welcome(order.flow, order.welcome);
    case Order::Kind::kHandled: return handled(order);
  }
}

void Streams::send_now(Order&& order) {
  --sends_waiting_;
  send_bytes_waiting_ -= order.text.size();
  // Who says no more can respond to nothing.
  const bool is_response = starts_with_ignoring_case(order.text, "SIP/");
  const auto stands = [&](const Connection* each) {
    return each != nullptr && (is_response || !each->is_half_closed());
  };
  // What left by a connection that has broken since may never have arrived, and is sent anew.
  const Sent before = order.is_repeated ? Sent{} : sent_.find(order.text).value_or(Sent{});
  if (before.times >= kMostTimes || stands(connections_.find(before.connection))) return;
  Connection* connection = connection_for(order.flow, order.tls_name);
  if (!stands(connection)) return push(Arrival::Kind::kUnsent, order.flow, std::move(order.text));
  if (!order.is_repeated)
    sent_.remember(order.text, {connection->flow().connection, before.times + 1}, monotonic_now());
  connection->send(std::move(order.text));
}

void Streams::welcome(const Flow& flow, Welcome welcome) {
  --newcomers_waiting_;
  auto* newcomer = dynamic_cast<Newcomer*>(connections_.find(flow.connection));
  if (newcomer == nullptr) return;  // it is gone already
  if (welcome == Welcome::kNone) return newcomer->close();
  newcomer->welcome = welcome;
  needs_handshake(flow.transport) ? newcomer->serve() : admit(*newcomer);
}

void Streams::handled(const Order& order) {
  if (order.of == Arrival::Kind::kUnsent) {
    --unsent_waiting_;
    return;
  }
  --messages_waiting_;
  bytes_waiting_ -= order.bytes;
  Connection* connection = connections_.find(order.flow.connection);
  if (connection == nullptr) return;
  if (order.is_good) budget_.prove(order.flow.peer.address);
  connection->on_handled(order.is_good);
}

// Those that were held back, the first first; who still has no room goes to the end.
void Streams::go_on() {
  thread_check_.check();
  for (std::size_t left = std::min(held_.size(), kGoOnEachTurn); left != 0; --left) {
    const std::uint64_t id = held_.front();
    held_.pop_front();
    if (Connection* connection = connections_.find(id)) connection->shared_from_this()->go_on();
  }
  if (newcomers_waiting_ >= kMaxNewcomersWaiting) return;
  for (const auto& acceptor : acceptors_) {
    if (std::exchange(acceptor->is_held, false)) accept(*acceptor);
  }
}

// ---- from connections ----

bool Streams::has_room(Connection& connection) {
  const bool has_room = messages_waiting_ < kMaxMessagesWaiting && bytes_waiting_ < kMaxBytesWaiting &&
                        connection.waiting() < Connection::kMaxWaiting;
  if (!has_room) held_.push_back(connection.flow().connection);
  return has_room;
}

void Streams::on_message(std::string text, Connection& connection) {
  ++messages_waiting_;
  bytes_waiting_ += text.size();
  push(Arrival::Kind::kMessage, connection.flow(), std::move(text));
}

void Streams::on_closed(Connection& connection) {
  Flow flow = connection.flow();
  if (needs_handshake(flow.transport) && !connection.is_ready() && connection.has_begun())
    ++counters_.handshakes_failed;
  const auto unsent = connection.pop_unsent();
  if (!connection.is_ready()) flow.connection = 0;  // it never came to be
  connections_.remove(connection);
  counters_.connections = connections_.size();
  for (const std::string& text : unsent) push(Arrival::Kind::kUnsent, flow, text);
}

// What cannot be told for want of room is lost: who waits for a response to it has timers.
void Streams::push(Arrival::Kind kind, const Flow& flow, std::string text) {
  if (kind == Arrival::Kind::kUnsent) {
    if (unsent_waiting_ >= kMaxUnsentWaiting) return;
    ++unsent_waiting_;
  }
  arrivals_.push({kind, flow, std::move(text), monotonic_now()});
}

// ---- accepting and dialling ----

void Streams::accept(Acceptor& acceptor) {
  if (newcomers_waiting_ >= kMaxNewcomersWaiting) {
    acceptor.is_held = true;
    return;
  }
  acceptor.socket.async_accept([this, &acceptor](error_code failure, tcp::socket socket) {
    if (failure == asio::error::operation_aborted) return;
    if (failure) return retry_accept(acceptor);
    greet(acceptor, std::move(socket));
    accept(acceptor);
  });
}

// No descriptor is left, or the like: asking again at once would only burn the thread.
void Streams::retry_accept(Acceptor& acceptor) {
  const auto timer = std::make_shared<asio::steady_timer>(context_, kAcceptRetry);
  timer->async_wait([this, &acceptor, timer](error_code failure) {
    if (!failure) accept(acceptor);
  });
}

// The gateway knows whether the peer is banned or a trunk's.
void Streams::greet(const Acceptor& acceptor, tcp::socket socket) {
  error_code gone;
  const Endpoint peer = from_asio(socket.remote_endpoint(gone));
  if (gone || !connections_.makes_room_for(peer.address)) return;
  if (is_secure(acceptor.transport) && tls_->server() == nullptr) return;
  const Flow flow{acceptor.transport, peer, connections_.next_id(), acceptor.listener};
  connections_.add(std::make_shared<Newcomer>(*this, std::move(socket), flow,
                                              [this](Newcomer& newcomer) { admit(newcomer); }));
  counters_.connections = connections_.size();
  ++newcomers_waiting_;
  push(Arrival::Kind::kNewcomer, flow);
}

// From here on it may cost something.
void Streams::admit(Newcomer& newcomer) {
  const Flow flow = newcomer.flow();
  if (is_secure(flow.transport) && newcomer.first_byte() != kHandshakeRecord) return newcomer.close();
  if (needs_handshake(flow.transport)) {
    if (!budget_.draw(flow.peer.address, newcomer.welcome, monotonic_now())) {
      ++counters_.handshakes_refused;
      return newcomer.close();
    }
    ++counters_.handshakes;
  }
  const TlsContext tls = is_secure(flow.transport) ? tls_->server() : nullptr;
  const auto connection = is_websocket(flow.transport)
                              ? make_websocket_connection(*this, newcomer.release_socket(), flow, tls, door_)
                              : make_stream_connection(*this, newcomer.release_socket(), flow, tls, "");
  connection->begin(newcomer.opened());
  connections_.replace(connection);
  connection->serve();
}

Connection* Streams::connection_for(const Flow& flow, const std::string& tls_name) {
  // A flow that is gone is gone: nobody else may have its messages.
  if (flow.connection != 0) {
    Connection* named = connections_.find(flow.connection);
    return named != nullptr && named->flow().peer == flow.peer ? named : nullptr;
  }
  Connection* open = connections_.find_dialled(flow.transport, flow.peer, tls_name);
  if (open != nullptr && !open->is_half_closed()) return open;
  if (is_websocket(flow.transport) || !connections_.makes_room_for(flow.peer.address)) return nullptr;
  const Flow made{flow.transport, flow.peer, connections_.next_id(),
                  listeners_.choose(flow.transport, flow.peer.address)};
  const auto connection = make_stream_connection(
      *this, tcp::socket(context_), made, is_secure(flow.transport) ? tls_->client() : nullptr, tls_name);
  connections_.add_dialled(connection, tls_name);
  counters_.connections = connections_.size();
  connection->vouch();
  connection->dial();
  return connection.get();
}

void Streams::sweep() {
  thread_check_.check();
  const Time now = monotonic_now();
  connections_.close_overdue(now);
  if (now >= reload_at_) {
    if (tls_->reload_if_changed()) door_.set_certificate_names(tls_->names());
    reload_at_ = now + kReload;
  }
  sweep_timer_.expires_after(connections_.size() == 0 ? kIdleSweep : kSweep);
  sweep_timer_.async_wait([this](error_code failure) {
    if (!failure) sweep();
  });
}

}  // namespace vas::signaling
