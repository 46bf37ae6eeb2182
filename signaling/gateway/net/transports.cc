#include "signaling/gateway/net/transports.h"

#include <algorithm>
#include <boost/asio/ip/v6_only.hpp>

#include "base/asio_endpoint.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/socket_options.h"
#include "signaling/gateway/net/datagram_reader.h"

namespace vas::signaling {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;
using boost::system::error_code;

// A burst, while another thread has the core.
constexpr int kUdpBuffer = 4 << 20;
// Where port 0 is asked for, UDP and TCP are to have the same: another is drawn until both do.
constexpr int kPortTries = 16;
constexpr int kReportsBefore = 4;  // of one call each: ICMP errors of datagrams that went before

bool has_no_way(const error_code& failure) {
  return failure == asio::error::host_unreachable || failure == asio::error::network_unreachable;
}

}  // namespace

class UdpListener {
 public:
  UdpListener(TransportsReceiver& receiver, asio::io_context& context)
      : receiver_(receiver),
        socket_(context),
        reader_(
            socket_,
            [this](std::string_view text, const Endpoint& from) {
              receiver_.on_message(text, {Transport::kUdp, from, 0, listener_});
            },
            [this](std::string_view text) { receiver_.on_undelivered(text); }) {}

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

  // A datagram that cannot be sent is lost, and retransmission mends it; one that has no way is told of. What
  // the socket reports may be of an earlier datagram: then it is asked again.
  void send(const Endpoint& to, std::string_view text) {
    error_code failure;
    for (int i = 0; i < kReportsBefore; ++i) {
      socket_.send_to(asio::buffer(text), to_asio<udp::endpoint>(to), 0, failure);
      if (!has_no_way(failure) && failure != asio::error::connection_refused) return;
    }
    if (has_no_way(failure)) receiver_.on_undelivered(text);
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
      arrivals_reader_(context, arrivals_),
      streams_(config_, listeners_, arrivals_) {}

Transports::~Transports() = default;

Result<bool> Transports::bind() {
  if (auto opened = streams_.open(); !opened) return Error{opened.error()};
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
  const error_code failure = listen(local, Transport::kTcp);
  if (!failure) return true;
  if (is_last_try) throw boost::system::system_error(failure);
  listeners_.remove_last();
  udp_.pop_back();
  return false;
}

void Transports::bind_stream(const Endpoint& wanted, Transport transport) {
  if (const error_code failure = listen(wanted, transport)) throw boost::system::system_error(failure);
}

error_code Transports::listen(const Endpoint& wanted, Transport transport) {
  Endpoint local = wanted;
  const auto number = static_cast<std::uint16_t>(listeners_.all().size());
  if (const error_code failure = streams_.listen(local, transport, number)) return failure;
  listeners_.add({transport, local, advertised(local)});
  udp_.push_back(nullptr);
  return {};
}

void Transports::start() {
  for (std::size_t i = 0; i < udp_.size(); ++i) {
    if (udp_[i] != nullptr) udp_[i]->read(static_cast<std::uint16_t>(i));
  }
  arrivals_reader_.start([this](Arrival&& arrival) { on_arrival(arrival); },
                         [this](bool is_empty) {
                           if (is_empty) arrivals_waited_ = {};
                         });
  streams_.start();
}

Duration Transports::waited() const {
  Duration longest = arrivals_waited_;
  for (const auto& each : udp_) longest = std::max(longest, each == nullptr ? Duration{} : each->waited());
  return longest;
}

void Transports::on_arrival(const Arrival& arrival) {
  thread_check_.check();
  arrivals_waited_ = monotonic_now() - arrival.came;
  switch (arrival.kind) {
    case Arrival::Kind::kNewcomer:
      return streams_.welcome_newcomer(arrival.flow, receiver_.welcome(arrival.flow.peer.address));
    case Arrival::Kind::kMessage:
      return streams_.confirm_handled(arrival, receiver_.on_message(arrival.text, arrival.flow));
    case Arrival::Kind::kUnsent:
      receiver_.on_unsent(arrival.text, arrival.flow);
      return streams_.confirm_handled(arrival, false);
  }
}

void Transports::send(const Flow& flow, std::string text, const Manner& manner) {
  thread_check_.check();
  if (has_connections(flow.transport)) {
    if (!streams_.send(flow, std::move(text), manner.tls_name, manner.is_repeated))
      receiver_.on_unsent(text, {flow.transport, flow.peer, 0, flow.listener});
    return;
  }
  const std::uint16_t listener = flow.listener != Flow::kAnyListener
                                     ? flow.listener
                                     : listeners_.choose(flow.transport, flow.peer.address);
  if (listener < udp_.size() && udp_[listener] != nullptr) udp_[listener]->send(flow.peer, text);
}

}  // namespace vas::signaling
