// One connection of a SIP peer, accepted or made: what TCP, TLS, WebSocket and secure WebSocket share.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/thread_check.h"
#include "base/time.h"
#include "signaling/sip/flow.h"
#include "tls/tls_contexts.h"

namespace vas::signaling {

class Connection;
class WebSocketDoor;

// What a connection reports to. Lives as long as the connections.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  // Whether the gateway takes one more message of this connection; where it does not, go_on() is called when
  // it does.
  virtual bool has_room(Connection& connection) = 0;
  // One whole message, or the blank line of a keep-alive; on_handled() follows.
  virtual void on_message(std::string text, Connection& connection) = 0;
  virtual void on_closed(Connection& connection) = 0;
};

// Keeps one peer's connection: what waits to be sent, how many of its messages wait for the gateway, and its
// deadlines. It decides when nothing more is read, and when the connection has broken or lasted too long.
// What a message says, who may connect and how its bytes are framed it need not know: its owner and its kinds
// do.
//
// Threads:  the streams'.
// Bounds:   bytes queued towards a slow reader, time for a handshake, for the first message and for each
//           that has begun, time without a sign of life. What breaks one is closed. It reads no further while
//           kMaxWaiting of its messages wait for the gateway.
// Lifetime: shared with its own pending operations; close() ends those.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // A slow reader is sent a burst of some hundred messages before it is given up.
  static constexpr std::size_t kMaxQueuedBytes = 1 << 20;
  // One connection does not fill the queue that all share (kMaxMessagesWaiting).
  static constexpr std::size_t kMaxWaiting = 16;
  static constexpr Duration kHeaderDeadline =
      std::chrono::seconds(8);  // and the sweep of thousands: within 10 s
  // Phones keep NATs open each minute or two; an hour of silence is a phone that is gone.
  static constexpr Duration kIdleDeadline = std::chrono::hours(1);
  // Responses to what it sent last are on their way; T2 of RFC 3261 is as long.
  static constexpr Duration kHalfClosedDeadline = std::chrono::seconds(4);
  static constexpr Duration kUnacknowledged = std::chrono::seconds(16);  // what is sent and not ACKed by TCP

  Connection(ConnectionOwner& owner, const Flow& flow);
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  virtual void serve() = 0;  // of an accepted socket: handshakes, then reads
  virtual void dial() = 0;   // connects to flow().peer, handshakes, then reads; what is queued waits
  virtual void go_on() = 0;  // there is room again (ConnectionOwner::has_room)

  void send(std::string text);
  void close();
  // For one that we dial: it need not prove itself by speaking first.
  void vouch() { is_proved_ = true; }
  // The gateway has looked at one message; `is_good`: it was SIP that deserves a response, so that the
  // connection has proved to be worth keeping.
  void on_handled(bool is_good);
  std::size_t waiting() const { return waiting_; }
  // In the place of a newcomer, of whose socket the deadline is.
  void begin(Time opened) {
    opened_ = opened;
    has_begun_ = true;
  }
  bool has_begun() const { return has_begun_; }
  Time opened() const { return opened_; }
  bool is_overdue(Time now) const;
  bool is_proved() const { return is_proved_; }
  bool is_ready() const { return is_ready_; }
  bool is_closed() const { return is_closed_; }
  // The peer says no more, and may still be told what it asked for.
  bool is_half_closed() const { return half_closed_since_ != kNever; }
  // A page that opened its socket to dial later.
  bool is_silent_page() const { return is_ready_ && may_wait_ && !is_proved_; }
  Time last_heard() const { return last_heard_; }
  // What never left: for whoever waits for responses to it.
  std::deque<std::string> pop_unsent() { return std::exchange(queue_, {}); }
  const Flow& flow() const { return flow_; }

 protected:
  // One message on its way; on_written() follows.
  virtual void write(const std::string& text) = 0;
  virtual void shut() = 0;

  // Of a socket that is open: no waiting for more to send, and an end when what is sent does not arrive.
  static void prepare(boost::asio::ip::tcp::socket::lowest_layer_type& socket);
  void on_ready();
  // It need not say anything for now: ConnectionTable bounds how many do that.
  void let_wait() { may_wait_ = true; }
  void on_end_of_input();
  void on_written();
  void heard();
  void mark_partial(bool is_partial);
  bool may_deliver() { return owner_.has_room(*this); }
  void deliver(std::string text);
  // Nothing that follows can be understood: closes when what was delivered has its responses.
  void finish();

 private:
  void close_if_finished();
  void write_next();

  ConnectionOwner& owner_;
  const Flow flow_;
  std::deque<std::string> queue_;
  std::size_t queued_bytes_ = 0;
  bool is_ready_ = false;
  bool is_writing_ = false;
  bool is_proved_ = false;
  bool is_closed_ = false;
  bool is_finishing_ = false;
  bool has_begun_ = false;
  std::size_t waiting_ = 0;
  Time opened_;
  Time last_heard_;
  Time partial_since_ = kNever;
  Time half_closed_since_ = kNever;
  bool may_wait_ = false;
  ThreadCheck thread_check_{"Connection"};
};

// TCP, or TLS where `tls` is given. `tls_name`: whom the certificate of a server that is dialled must name,
// and what SNI says; an address, or empty to take any.
std::shared_ptr<Connection> make_stream_connection(ConnectionOwner& owner,
                                                   boost::asio::ip::tcp::socket socket, const Flow& flow,
                                                   TlsContext tls, const std::string& tls_name);

// WebSocket, secure where `tls` is given; to serve only. `door` outlives it. (RFC 7118)
std::shared_ptr<Connection> make_websocket_connection(ConnectionOwner& owner,
                                                      boost::asio::ip::tcp::socket socket, const Flow& flow,
                                                      TlsContext tls, const WebSocketDoor& door);

}  // namespace vas::signaling
