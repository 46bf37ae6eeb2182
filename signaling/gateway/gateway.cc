#include "signaling/gateway/gateway.h"

#include <pthread.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <deque>
#include <thread>
#include <unordered_map>

#include "signaling/gateway/framer.h"
#include "signaling/gateway/guard.h"
#include "signaling/gateway/sip_message.h"
#include "signaling/gateway/via_editor.h"
#include "vas/base/clock.h"
#include "vas/base/log.h"
#include "vas/base/random.h"

namespace vas::signaling {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;

constexpr std::size_t kMaxQueuedBytes = 1 << 20;  // towards one slow reader
constexpr Duration kPartialMessageDeadline = std::chrono::seconds(10);
constexpr Duration kIdleDeadline = std::chrono::hours(1);
constexpr Duration kSweep = std::chrono::seconds(2);
constexpr Duration kAcceptRetry = std::chrono::milliseconds(100);
constexpr Duration kRetransmissionMemory = std::chrono::seconds(32);  // 64 T1: RFC 3261 §17
constexpr std::size_t kMaxRemembered = 65536;
constexpr int kLoopbackBuffer = 4 << 20;
constexpr int kPortTries = 16;

template <typename AsioEndpoint>
Endpoint from_asio(const AsioEndpoint& endpoint) {
  sockaddr_storage storage{};
  std::memcpy(&storage, endpoint.data(), std::min<std::size_t>(endpoint.size(), sizeof storage));
  return *Endpoint::from_sockaddr(storage);
}

template <typename AsioEndpoint>
AsioEndpoint to_asio(const Endpoint& endpoint) {
  AsioEndpoint converted;
  sockaddr_storage storage{};
  const socklen_t length = endpoint.to_sockaddr(storage);
  converted.resize(length);
  std::memcpy(converted.data(), &storage, length);
  return converted;
}

class GatewayImpl;

// One TCP connection, accepted or made.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(GatewayImpl& gateway, tcp::socket socket, std::uint64_t id)
      : gateway_(gateway), socket_(std::move(socket)), id_(id) {}

  void start(const Endpoint& peer);
  void connect(const Endpoint& peer);
  void send(std::string text);
  void close();
  bool is_overdue(Time now) const;
  const Endpoint& peer() const { return peer_; }

 private:
  void read();
  void on_read(std::size_t bytes);
  void write();

  GatewayImpl& gateway_;
  tcp::socket socket_;
  const std::uint64_t id_;
  Endpoint peer_;
  Framer framer_;
  std::array<char, 8192> buffer_{};
  std::deque<std::string> queue_;
  std::size_t queued_bytes_ = 0;
  bool is_connected_ = false;
  bool is_writing_ = false;
  Time last_heard_{};
  Time partial_since_ = kNever;
};

class UdpListener {
 public:
  UdpListener(GatewayImpl& gateway, asio::io_context& context) : gateway_(gateway), socket_(context) {}
  void open(const Endpoint& local);
  void read();
  void send(const Endpoint& to, std::string_view text);
  Endpoint local() const { return from_asio(socket_.local_endpoint()); }

 private:
  GatewayImpl& gateway_;
  udp::socket socket_;
  udp::endpoint from_;
  std::array<char, 65536> buffer_{};
};

class GatewayImpl final : public Gateway {
 public:
  explicit GatewayImpl(const GatewayConfig& config)
      : config_(config), loop_(context_), sweep_timer_(context_) {}
  ~GatewayImpl() override { stop(); }

  void bind();
  const Endpoint& loopback() const override { return loopback_; }
  void start(const Endpoint& stack) override;
  void stop() override;
  Endpoint contact_endpoint(const Flow& flow) const override;
  const std::vector<Endpoint>& listening() const override { return listening_; }
  std::string flow_route(const Flow& flow) const override {
    return ViaEditor(signer_, loopback_, {}).flow_route(flow);
  }
  std::optional<Flow> verify_flow(std::string_view token) const override { return signer_.verify(token); }
  const GatewayCounters& counters() const override { return counters_; }

  // From the network.
  void on_message(std::string_view text, const Flow& source);
  void on_closed(std::uint64_t connection) { connections_.erase(connection); }
  std::size_t max_queued() const { return kMaxQueuedBytes; }

 private:
  bool listen(const Endpoint& wanted, bool is_last_try);
  void accept(tcp::acceptor& acceptor);
  void retry_accept(tcp::acceptor& acceptor);
  void sweep();
  void refuse(const SipMessage& request, const Flow& source, const Refused& refused,
              std::size_t request_bytes);

  // To and from the stack.
  void read_loop();
  void on_stack_message(std::string_view text);
  void on_stack_request(const SipMessage& request);
  void send_to_stack(std::string_view text);
  void send_to_peer(const Flow& flow, std::string text);
  bool is_retransmission(std::string_view text);
  std::shared_ptr<Connection> connection_for(const Flow& flow);

  const GatewayConfig config_;
  FlowSigner signer_;
  GatewayCounters counters_;
  asio::io_context context_{1};
  udp::socket loop_;
  udp::endpoint loop_from_;
  std::array<char, 65536> loop_buffer_{};
  Endpoint loopback_;
  Endpoint stack_;
  std::optional<ViaEditor> editor_;
  std::vector<std::unique_ptr<UdpListener>> udp_;
  std::vector<tcp::acceptor> acceptors_;
  std::vector<Endpoint> listening_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  std::uint64_t next_connection_ = 1;
  std::unordered_map<std::size_t, Time> sent_;  // hashes of what went to connections
  asio::steady_timer sweep_timer_;
  std::thread thread_;
};

void Connection::start(const Endpoint& peer) {
  peer_ = peer;
  is_connected_ = true;
  last_heard_ = monotonic_now();
  read();
  write();
}

void Connection::connect(const Endpoint& peer) {
  peer_ = peer;
  last_heard_ = monotonic_now();
  socket_.async_connect(to_asio<tcp::endpoint>(peer), [self = shared_from_this(), peer](error_code failure) {
    if (failure) return self->close();
    self->start(peer);
  });
}

void Connection::read() {
  socket_.async_read_some(asio::buffer(buffer_),
                          [self = shared_from_this()](error_code failure, std::size_t bytes) {
                            if (failure) return self->close();
                            self->on_read(bytes);
                          });
}

void Connection::on_read(std::size_t bytes) {
  last_heard_ = monotonic_now();
  framer_.append({buffer_.data(), bytes});
  for (;;) {
    const Framer::Frame frame = framer_.next();
    switch (frame.kind) {
      case Framer::Frame::Kind::kMessage:
        partial_since_ = kNever;
        gateway_.on_message(frame.text, {Transport::kTcp, peer_, id_});
        continue;
      case Framer::Frame::Kind::kPing: send("\r\n"); continue;
      case Framer::Frame::Kind::kBroken: return close();
      case Framer::Frame::Kind::kNeedMore: break;
    }
    break;
  }
  if (framer_.holds_partial_message() && partial_since_ == kNever) partial_since_ = last_heard_;
  if (!framer_.holds_partial_message()) partial_since_ = kNever;
  read();
}

void Connection::send(std::string text) {
  queued_bytes_ += text.size();
  if (queued_bytes_ > gateway_.max_queued()) return close();
  queue_.push_back(std::move(text));
  write();
}

void Connection::write() {
  if (!is_connected_ || is_writing_ || queue_.empty()) return;
  is_writing_ = true;
  asio::async_write(socket_, asio::buffer(queue_.front()),
                    [self = shared_from_this()](error_code failure, std::size_t) {
                      self->is_writing_ = false;
                      if (failure) return self->close();
                      self->queued_bytes_ -= self->queue_.front().size();
                      self->queue_.pop_front();
                      self->write();
                    });
}

void Connection::close() {
  error_code ignored;
  socket_.close(ignored);
  gateway_.on_closed(id_);
}

bool Connection::is_overdue(Time now) const {
  const bool is_stuck = partial_since_ != kNever && now - partial_since_ > kPartialMessageDeadline;
  const bool is_connecting_for_ever = !is_connected_ && now - last_heard_ > kPartialMessageDeadline;
  return is_stuck || is_connecting_for_ever || now - last_heard_ > kIdleDeadline;
}

void UdpListener::open(const Endpoint& local) {
  const auto endpoint = to_asio<udp::endpoint>(local);
  socket_.open(endpoint.protocol());
  if (local.address.family == AddressFamily::kIpv6) socket_.set_option(asio::ip::v6_only(true));
  error_code ignored;
  socket_.set_option(asio::socket_base::receive_buffer_size(kLoopbackBuffer), ignored);
  socket_.bind(endpoint);
  socket_.non_blocking(true);
}

void UdpListener::read() {
  socket_.async_receive_from(asio::buffer(buffer_), from_, [this](error_code failure, std::size_t bytes) {
    if (failure == asio::error::operation_aborted) return;
    if (!failure) gateway_.on_message({buffer_.data(), bytes}, {Transport::kUdp, from_asio(from_), 0});
    read();
  });
}

void UdpListener::send(const Endpoint& to, std::string_view text) {
  error_code ignored;  // a datagram that cannot be sent is lost; retransmission mends it
  socket_.send_to(asio::buffer(text), to_asio<udp::endpoint>(to), 0, ignored);
}

void GatewayImpl::bind() {
  loop_.open(udp::v4());
  loop_.set_option(asio::socket_base::receive_buffer_size(kLoopbackBuffer));
  loop_.bind({asio::ip::address_v4::loopback(), 0});
  loopback_ = from_asio(loop_.local_endpoint());

  for (const Endpoint& wanted : config_.listen) {
    // Port 0 is any port that is free for both: what UDP is given may be taken over TCP.
    int tries = wanted.port == 0 ? kPortTries : 1;
    while (!listen(wanted, --tries == 0)) {
    }
  }
}

// One port for UDP and TCP. False when TCP's is taken; throws instead where that is to be the last word.
bool GatewayImpl::listen(const Endpoint& wanted, bool is_last_try) {
  auto listener = std::make_unique<UdpListener>(*this, context_);
  listener->open(wanted);
  const Endpoint local = listener->local();
  const auto endpoint = to_asio<tcp::endpoint>(local);
  tcp::acceptor acceptor(context_, endpoint.protocol());
  acceptor.set_option(asio::socket_base::reuse_address(true));
  if (local.address.family == AddressFamily::kIpv6) acceptor.set_option(asio::ip::v6_only(true));
  error_code failure;
  acceptor.bind(endpoint, failure);
  if (failure && is_last_try) throw boost::system::system_error(failure);
  if (failure) return false;
  acceptor.listen();
  udp_.push_back(std::move(listener));
  acceptors_.push_back(std::move(acceptor));
  listening_.push_back(local);
  return true;
}

void GatewayImpl::start(const Endpoint& stack) {
  stack_ = stack;
  editor_.emplace(signer_, loopback_, stack_);
  for (const auto& listener : udp_) listener->read();
  for (auto& acceptor : acceptors_) accept(acceptor);
  read_loop();
  sweep();
  thread_ = std::thread([this] { context_.run(); });
  pthread_setname_np(thread_.native_handle(), "vas-gateway");
}

void GatewayImpl::stop() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

Endpoint GatewayImpl::contact_endpoint(const Flow& flow) const {
  for (const Endpoint& local : listening_) {
    if (local.address.family != flow.peer.address.family) continue;
    if (local.address.family == AddressFamily::kIpv4 && config_.advertised)
      return {*config_.advertised, local.port};
    return local;
  }
  return listening_.front();
}

void GatewayImpl::accept(tcp::acceptor& acceptor) {
  acceptor.async_accept([this, &acceptor](error_code failure, tcp::socket socket) {
    if (failure == asio::error::operation_aborted) return;
    if (failure) return retry_accept(acceptor);
    error_code gone;
    const auto peer = socket.remote_endpoint(gone);
    if (!gone && connections_.size() < config_.max_connections) {
      const std::uint64_t id = next_connection_++;
      const auto connection = std::make_shared<Connection>(*this, std::move(socket), id);
      connections_.emplace(id, connection);
      connection->start(from_asio(peer));
    }
    accept(acceptor);
  });
}

// No descriptor is left, or the like: asking again at once would only burn the thread.
void GatewayImpl::retry_accept(tcp::acceptor& acceptor) {
  const auto timer = std::make_shared<asio::steady_timer>(context_, kAcceptRetry);
  timer->async_wait([this, &acceptor, timer](error_code failure) {
    if (!failure) accept(acceptor);
  });
}

void GatewayImpl::sweep() {
  const Time now = monotonic_now();
  std::vector<std::shared_ptr<Connection>> overdue;
  for (const auto& [id, connection] : connections_) {
    if (connection->is_overdue(now)) overdue.push_back(connection);
  }
  for (const auto& connection : overdue) connection->close();
  std::erase_if(sent_, [&](const auto& each) { return now - each.second > kRetransmissionMemory; });

  sweep_timer_.expires_after(kSweep);
  sweep_timer_.async_wait([this](error_code failure) {
    if (!failure) sweep();
  });
}

void GatewayImpl::on_message(std::string_view text, const Flow& source) {
  if (text.find_first_not_of("\r\n\0 ") == std::string_view::npos) return;  // a keep-alive
  ++counters_.received;
  const auto message = SipMessage::parse(text);
  if (!message) {
    ++counters_.dropped;
    return;
  }
  if (message->is_request()) {
    if (const auto refused = check_request(*message)) return refuse(*message, source, *refused, text.size());
    return send_to_stack(editor_->request_to_stack(*message, source));
  }
  const auto refused = check_response(*message);
  const auto edited = refused ? std::nullopt : editor_->response_to_stack(*message, source);
  if (!edited) {
    ++counters_.dropped;
    return;
  }
  send_to_stack(*edited);
}

void GatewayImpl::refuse(const SipMessage& request, const Flow& source, const Refused& refused,
                         std::size_t request_bytes) {
  const int status = status_of(refused.refusal);
  const std::string answer =
      status == 0 ? std::string() : stateless_response(request, source, status, refused.why, random_hex(4));
  // An unproved source gets no more than it sent, give or take: nobody is to be flooded through us.
  const bool amplifies = source.transport == Transport::kUdp && 10 * answer.size() > 13 * request_bytes;
  if (answer.empty() || amplifies) {
    ++counters_.dropped;
    return;
  }
  ++counters_.refused;
  send_to_peer(source, answer);
}

void GatewayImpl::read_loop() {
  loop_.async_receive_from(asio::buffer(loop_buffer_), loop_from_,
                           [this](error_code failure, std::size_t bytes) {
                             if (failure == asio::error::operation_aborted) return;
                             if (!failure && from_asio(loop_from_) == stack_)
                               on_stack_message({loop_buffer_.data(), bytes});
                             read_loop();
                           });
}

void GatewayImpl::on_stack_message(std::string_view text) {
  const auto message = SipMessage::parse(text);
  if (!message) return;
  if (message->is_request()) return on_stack_request(*message);
  auto outbound = editor_->response_to_peer(*message);
  if (!outbound) return;
  const auto* cseq = message->first(HeaderName::kCseq);
  // A 2xx to INVITE is repeated end to end until its ACK (RFC 3261 §13.3.1.4); other repeats end here.
  const bool is_invite_2xx =
      message->status() / 100 == 2 && cseq != nullptr && cseq->value.ends_with("INVITE");
  if (outbound->flow.transport == Transport::kTcp && !is_invite_2xx && is_retransmission(outbound->text))
    return;
  send_to_peer(outbound->flow, std::move(outbound->text));
}

void GatewayImpl::on_stack_request(const SipMessage& request) {
  const auto hop = editor_->next_hop(request);
  if (std::holds_alternative<NoHop>(hop)) {
    ++counters_.no_next_hop;
    if (request.method() == "ACK") return;
    const Flow stack{Transport::kUdp, stack_, 0};
    return send_to_stack(stateless_response(request, stack, 503, "No Usable Next Hop", random_hex(4)));
  }
  const auto& chosen = std::get<ViaEditor::Hop>(hop);
  std::string text = editor_->request_to_peer(request, chosen, contact_endpoint(chosen.flow));
  if (chosen.flow.transport == Transport::kTcp && is_retransmission(text)) return;
  send_to_peer(chosen.flow, std::move(text));
}

bool GatewayImpl::is_retransmission(std::string_view text) {
  if (sent_.size() >= kMaxRemembered) sent_.clear();  // then some repeats pass, which harms nobody
  return !sent_.emplace(std::hash<std::string_view>{}(text), monotonic_now()).second;
}

void GatewayImpl::send_to_stack(std::string_view text) {
  error_code ignored;
  loop_.send_to(asio::buffer(text), to_asio<udp::endpoint>(stack_), 0, ignored);
}

void GatewayImpl::send_to_peer(const Flow& flow, std::string text) {
  if (flow.transport == Transport::kTcp) {
    if (const auto connection = connection_for(flow)) connection->send(std::move(text));
    return;
  }
  for (const auto& listener : udp_) {
    if (listener->local().address.family == flow.peer.address.family) return listener->send(flow.peer, text);
  }
}

std::shared_ptr<Connection> GatewayImpl::connection_for(const Flow& flow) {
  if (const auto found = connections_.find(flow.connection); found != connections_.end())
    return found->second;
  if (flow.connection != 0) return nullptr;  // the flow is gone; nobody else may have its messages
  for (const auto& [id, connection] : connections_) {
    if (connection->peer() == flow.peer) return connection;
  }
  if (connections_.size() >= config_.max_connections) return nullptr;
  const std::uint64_t id = next_connection_++;
  const auto connection = std::make_shared<Connection>(*this, tcp::socket(context_), id);
  connections_.emplace(id, connection);
  connection->connect(flow.peer);
  return connection;
}

}  // namespace

Result<std::unique_ptr<Gateway>> Gateway::open(const GatewayConfig& config) {
  auto gateway = std::make_unique<GatewayImpl>(config);
  try {
    gateway->bind();
  } catch (const boost::system::system_error& failure) {
    std::string where;
    for (const Endpoint& local : config.listen) where += " " + to_string(local);
    return Error{"cannot listen for SIP at" + where + ": " + failure.code().message()};
  }
  return std::unique_ptr<Gateway>(std::move(gateway));
}

}  // namespace vas::signaling
