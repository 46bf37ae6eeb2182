// All connections of SIP peers: TCP, TLS, WebSocket, secure WebSocket; accepted, made, swept.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/thread_check.h"
#include "signaling/gateway/net/connection_table.h"
#include "signaling/gateway/net/inbox_reader.h"
#include "signaling/gateway/net/stream_queues.h"
#include "signaling/gateway/policy/listener_table.h"
#include "signaling/gateway/policy/recent_map.h"
#include "signaling/gateway/policy/transports_config.h"

namespace vas::signaling {

class Newcomer;

// Read by any thread, written by the streams'.
struct StreamCounters {
  std::atomic<std::uint64_t> connections{0};         // open now
  std::atomic<std::uint64_t> handshakes{0};          // begun: TLS, WebSocket
  std::atomic<std::uint64_t> handshakes_refused{0};  // over budget: closed before OpenSSL saw a byte
  std::atomic<std::uint64_t> handshakes_failed{0};   // begun and never ended well
};

// Keeps the listening sockets, all connections, and what was sent over them lately. It decides who gets a
// connection and a handshake, which connection a message goes out by or that one is made for it, and what
// goes again when one has broken. What a message means it need not know.
//
// Owns its thread from start() on: a handshake costs milliseconds, and no datagram of the gateway's waits for
// one. What comes goes to the gateway by `arrivals`; what is to be done comes by orders.
//
// Threads:  open(), listen(), start(), stop() from one; send() and the other orders from the gateway's.
// Lifetime: `config`, `listeners` and `arrivals` outlive it; `listeners` is filled before start().
// Bounds:   stream_queues.h, connection_table.h, handshake_budget.h, connection.h. A connection whose
//           messages the gateway has no room for is not read;
//           nor is one accepted while too many wait to be welcome.
class Streams final : public ConnectionOwner {
 public:
  static constexpr std::size_t kMaxSent = 65536;
  static constexpr int kMostTimes = 2;  // a message that goes once, when its connection broke
  static constexpr Duration kSentMemory =
      std::chrono::seconds(32);  // 64 T1: RFC 3261 §17; at most twice that

  Streams(const TransportsConfig& config, const ListenerTable& listeners, ArrivalInbox& arrivals);
  ~Streams() override;

  Result<bool> open();  // the certificates
  // Port 0 becomes the one that was given.
  boost::system::error_code listen(Endpoint& local, Transport transport, std::uint16_t listener);
  void start();
  void stop();

  // False where too much waits to be sent; then nothing was taken.
  bool send(const Flow& flow, std::string&& text, const std::string& tls_name, bool is_repeated);
  void drop(const IpAddress& peer);
  void welcome_newcomer(const Flow& flow, Welcome welcome);
  void confirm_handled(const Arrival& arrival, bool is_good);

  const StreamCounters& counters() const { return counters_; }

 private:
  // By which connection a message went last, and how often it has gone.
  struct Sent {
    std::uint64_t connection = 0;
    int times = 0;
  };
  struct Acceptor {
    boost::asio::ip::tcp::acceptor socket;
    Transport transport;
    std::uint16_t listener;
    bool is_held = false;
  };

  // From connections.
  bool has_room(Connection& connection) override;
  void on_message(std::string text, Connection& connection) override;
  void on_closed(Connection& connection) override;

  // From the gateway.
  void obey(Order&& order);
  void send_now(Order&& order);
  void welcome(const Flow& flow, Welcome welcome);
  void handled(const Order& order);
  void go_on();

  void accept(Acceptor& acceptor);
  void retry_accept(Acceptor& acceptor);
  void greet(const Acceptor& acceptor, boost::asio::ip::tcp::socket socket);
  void admit(Newcomer& newcomer);
  Connection* connection_for(const Flow& flow, const std::string& tls_name);
  void push(Arrival::Kind kind, const Flow& flow, std::string text = {});
  void sweep();
  void run();

  const TransportsConfig& config_;
  const ListenerTable& listeners_;
  ArrivalInbox& arrivals_;

  boost::asio::io_context context_{1};
  std::optional<TlsContexts> tls_;
  WebSocketDoor door_;
  HandshakeBudget budget_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  ConnectionTable connections_;
  RecentMap<Sent> sent_{kMaxSent, kSentMemory};  // messages that go once
  boost::asio::steady_timer sweep_timer_;
  Time reload_at_{};  // certificates
  StreamCounters counters_;
  Inbox<Order> orders_{kOrderCapacity};
  InboxReader<Order> orders_reader_;
  ThreadCheck thread_check_{"Streams"};
  std::thread thread_;

  // Waiting at the gateway.
  std::size_t newcomers_waiting_ = 0;
  std::size_t messages_waiting_ = 0;
  std::size_t unsent_waiting_ = 0;
  std::size_t bytes_waiting_ = 0;
  std::deque<std::uint64_t> held_;  // connections that wait for room there
  // Waiting here: counted up by the gateway's thread, down by ours.
  std::atomic<std::size_t> sends_waiting_{0};
  std::atomic<std::size_t> send_bytes_waiting_{0};
};

}  // namespace vas::signaling
