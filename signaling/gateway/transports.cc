#include "signaling/gateway/transports.h"

#include <algorithm>
#include <boost/asio/ip/v6_only.hpp>

#include "signaling/gateway/asio_endpoint.h"
#include "signaling/gateway/datagram_reader.h"
#include "vas/base/clock.h"
#include "vas/base/log.h"
#include "vas/base/socket_options.h"

namespace vas::signaling {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;

constexpr Duration kSweep = std::chrono::milliseconds(100);  // few at a time: closing thousands takes a while
constexpr Duration kIdleSweep = std::chrono::seconds(1);     // of no connections
constexpr Duration kReload = std::chrono::seconds(1);        // how often certificates are looked at
constexpr Duration kAcceptRetry = std::chrono::milliseconds(100);
constexpr int kUdpBuffer = 4 << 20;
constexpr int kPortTries = 16;

}  // namespace

class UdpListener {
 public:
  UdpListener(TransportsReceiver& receiver, asio::io_context& context)
      : receiver_(receiver),
        socket_(context),
        reader_(socket_, [this](std::string_view text, const Endpoint& from) {
          receiver_.on_message(text, {Transport::kUdp, from, 0, listener_});
        }) {}

  void open(const Endpoint& local) {
    const auto endpoint = to_asio<udp::endpoint>(local);
    socket_.open(endpoint.protocol());
    if (local.address.family == AddressFamily::kIpv6) socket_.set_option(asio::ip::v6_only(true));
    ask_for_receive_buffer(socket_.native_handle(), kUdpBuffer);
    socket_.bind(endpoint);
    socket_.non_blocking(true);
  }

  void read(std::uint16_t listener) {
    listener_ = listener;
    reader_.start();
  }

  void send(const Endpoint& to, std::string_view text) {
    error_code ignored;  // a datagram that cannot be sent is lost; retransmission mends it
    socket_.send_to(asio::buffer(text), to_asio<udp::endpoint>(to), 0, ignored);
  }

  Endpoint local() const { return from_asio(socket_.local_endpoint()); }
  Duration waited() const { return reader_.waited(); }

 private:
  TransportsReceiver& receiver_;
  udp::socket socket_;
  DatagramReader reader_;
  std::uint16_t listener_ = 0;
};

Transports::Transports(asio::io_context& context, const TransportsConfig& config,
                       TransportsReceiver& receiver)
    : context_(context),
      config_(config),
      receiver_(receiver),
      connections_(config.max_connections, config.max_connections_of_address),
      sweep_timer_(context) {}

Transports::~Transports() = default;

Result<bool> Transports::bind() {
  auto tls = TlsContexts::open(config_.certificates);
  if (!tls) return Error{tls.error()};
  tls_.emplace(std::move(*tls));
  Endpoint current;
  try {
    for (const Endpoint& wanted : config_.sip) bind_sip(current = wanted);
    for (const Endpoint& wanted : config_.tls) bind_stream(current = wanted, Transport::kTls);
    for (const Endpoint& wanted : config_.ws) bind_stream(current = wanted, Transport::kWs);
    for (const Endpoint& wanted : config_.wss) bind_stream(current = wanted, Transport::kWss);
  } catch (const boost::system::system_error& failure) {
    return Error{"cannot listen for SIP at " + to_string(current) + ": " + failure.code().message()};
  }
  return true;
}

Endpoint Transports::advertised(const Endpoint& local) const {
  for (const auto& each : config_.advertised) {
    const bool is_meant = each.local
                              ? *each.local == local.address
                              : each.address.family == local.address.family && !local.address.is_loopback();
    if (is_meant) return {each.address, local.port};
  }
  return local;
}

// Port 0 is any port that is free for both: what UDP is given may be taken over TCP.
void Transports::bind_sip(const Endpoint& wanted) {
  int tries = wanted.port == 0 ? kPortTries : 1;
  while (!try_bind_sip(wanted, --tries == 0)) {
  }
}

bool Transports::try_bind_sip(const Endpoint& wanted, bool is_last_try) {
  auto listener = std::make_unique<UdpListener>(receiver_, context_);
  listener->open(wanted);
  const Endpoint local = listener->local();
  listeners_.add({Transport::kUdp, local, advertised(local)});
  udp_.push_back(std::move(listener));
  const error_code failure = add_acceptor(local, Transport::kTcp);
  if (!failure) return true;
  if (is_last_try) throw boost::system::system_error(failure);
  listeners_.remove_last();
  udp_.pop_back();
  return false;
}

void Transports::bind_stream(const Endpoint& wanted, Transport transport) {
  if (const error_code failure = add_acceptor(wanted, transport)) throw boost::system::system_error(failure);
}

error_code Transports::add_acceptor(const Endpoint& wanted, Transport transport) {
  const auto endpoint = to_asio<tcp::endpoint>(wanted);
  tcp::acceptor acceptor(context_, endpoint.protocol());
  acceptor.set_option(asio::socket_base::reuse_address(true));
  if (wanted.address.family == AddressFamily::kIpv6) acceptor.set_option(asio::ip::v6_only(true));
  error_code failure;
  acceptor.bind(endpoint, failure);
  if (failure) return failure;
  acceptor.listen();
  const Endpoint local = from_asio(acceptor.local_endpoint());
  const auto number = static_cast<std::uint16_t>(listeners_.all().size());
  listeners_.add({transport, local, advertised(local)});
  udp_.push_back(nullptr);
  acceptors_.push_back(std::make_unique<Acceptor>(Acceptor{std::move(acceptor), transport, number}));
  return {};
}

void Transports::start() {
  for (std::size_t i = 0; i < udp_.size(); ++i) {
    if (udp_[i] != nullptr) udp_[i]->read(static_cast<std::uint16_t>(i));
  }
  for (const auto& acceptor : acceptors_) accept(*acceptor);
  sweep();
}

Duration Transports::waited() const {
  Duration longest{};
  for (const auto& each : udp_) longest = std::max(longest, each == nullptr ? Duration{} : each->waited());
  return longest;
}

void Transports::accept(Acceptor& acceptor) {
  acceptor.socket.async_accept([this, &acceptor](error_code failure, tcp::socket socket) {
    if (failure == asio::error::operation_aborted) return;
    if (failure) return retry_accept(acceptor);
    serve(acceptor, std::move(socket));
    accept(acceptor);
  });
}

// No descriptor is left, or the like: asking again at once would only burn the thread.
void Transports::retry_accept(Acceptor& acceptor) {
  const auto timer = std::make_shared<asio::steady_timer>(context_, kAcceptRetry);
  timer->async_wait([this, &acceptor, timer](error_code failure) {
    if (!failure) accept(acceptor);
  });
}

void Transports::serve(const Acceptor& acceptor, tcp::socket socket) {
  error_code gone;
  const Endpoint peer = from_asio(socket.remote_endpoint(gone));
  if (gone || !receiver_.may_connect(peer.address) || !connections_.makes_room_for(peer.address)) return;
  const Transport transport = acceptor.transport;
  const Flow flow{transport, peer, connections_.next_id(), acceptor.listener};
  const TlsContext tls = is_secure(transport) ? tls_->server() : nullptr;
  if (is_secure(transport) && tls == nullptr) return;
  const auto connection =
      is_websocket(transport)
          ? make_websocket_connection(*this, std::move(socket), flow, tls, config_.ws_origins)
          : make_stream_connection(*this, std::move(socket), flow, tls, "");
  connections_.add(connection);
  connection->serve();
}

void Transports::sweep() {
  const Time now = monotonic_now();
  connections_.close_overdue(now);
  if (now >= reload_at_) {
    tls_->reload_if_changed();
    reload_at_ = now + kReload;
  }
  sweep_timer_.expires_after(connections_.size() == 0 ? kIdleSweep : kSweep);
  sweep_timer_.async_wait([this](error_code failure) {
    if (!failure) sweep();
  });
}

bool Transports::on_message(std::string_view text, const Flow& source) {
  return receiver_.on_message(text, source);
}

void Transports::on_closed(Connection& connection) {
  const Flow flow = connection.flow();
  const auto unsent = connection.take_unsent();
  connections_.remove(connection);
  for (const std::string& text : unsent) receiver_.on_unsent(text, flow);
}

void Transports::send(const Flow& flow, std::string text, const std::string& tls_name) {
  if (!has_connections(flow.transport)) {
    const std::uint16_t listener = flow.listener != Flow::kAnyListener
                                       ? flow.listener
                                       : listeners_.choose(flow.transport, flow.peer.address);
    if (listener < udp_.size() && udp_[listener] != nullptr) udp_[listener]->send(flow.peer, text);
    return;
  }
  if (Connection* connection = connection_for(flow, tls_name)) return connection->send(std::move(text));
  receiver_.on_unsent(text, flow);
}

Connection* Transports::connection_for(const Flow& flow, const std::string& tls_name) {
  // A flow that is gone is gone: nobody else may have its messages.
  if (flow.connection != 0) return connections_.find(flow.connection);
  if (Connection* open = connections_.find_dialled(flow.transport, flow.peer, tls_name)) return open;
  if (is_websocket(flow.transport) || !connections_.makes_room_for(flow.peer.address)) return nullptr;
  const Flow made{flow.transport, flow.peer, connections_.next_id(),
                  listeners_.choose(flow.transport, flow.peer.address)};
  const auto connection = make_stream_connection(
      *this, tcp::socket(context_), made, is_secure(flow.transport) ? tls_->client() : nullptr, tls_name);
  connections_.add_dialled(connection, tls_name);
  connection->vouch();
  connection->dial();
  return connection.get();
}

}  // namespace vas::signaling
