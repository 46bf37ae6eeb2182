// One connection of a SIP peer, accepted or made: what TCP, TLS, WebSocket and secure WebSocket share.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "signaling/gateway/flow.h"
#include "vas/base/time.h"

namespace vas::signaling {

class Connection;

// What a connection reports to. Lives as long as the connections.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  // One whole message, or the blank line of a keep-alive. True when it was SIP that deserves an answer: the
  // connection has proved to be worth keeping.
  virtual bool on_message(std::string_view text, const Flow& source) = 0;
  virtual void on_closed(Connection& connection) = 0;
};

// Threads:  the gateway's.
// Bounds:   bytes queued towards a slow reader, time for a handshake, for the first message and for each
//           that has begun, time without a sign of life. What breaks one is closed.
// Lifetime: shared with its own pending operations; close() ends those.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  static constexpr std::size_t kMaxQueuedBytes = 1 << 20;
  static constexpr Duration kHeaderDeadline =
      std::chrono::seconds(8);  // and the sweep of thousands: within 10 s
  static constexpr Duration kIdleDeadline = std::chrono::hours(1);

  Connection(ConnectionOwner& owner, const Flow& flow);
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  virtual void serve() = 0;  // of an accepted socket: handshakes, then reads
  virtual void dial() = 0;   // connects to flow().peer, handshakes, then reads; what is queued waits

  void send(std::string text);
  void close();
  // For one that we dial: it need not prove itself by speaking first.
  void vouch() { is_proved_ = true; }
  bool is_overdue(Time now) const;
  bool is_proved() const { return is_proved_; }
  bool is_closed() const { return is_closed_; }
  Time last_heard() const { return last_heard_; }
  // What never left: for whoever waits for answers to it.
  std::deque<std::string> take_unsent() { return std::exchange(queue_, {}); }
  const Flow& flow() const { return flow_; }

 protected:
  // One message on its way; on_written() follows.
  virtual void write(const std::string& text) = 0;
  virtual void shut() = 0;

  void on_ready();
  void on_written();
  void heard();
  void note_partial(bool is_partial);
  void deliver(std::string_view text);

 private:
  void write_next();

  ConnectionOwner& owner_;
  const Flow flow_;
  std::deque<std::string> queue_;
  std::size_t queued_bytes_ = 0;
  bool is_ready_ = false;
  bool is_writing_ = false;
  bool is_proved_ = false;
  bool is_closed_ = false;
  const Time opened_;
  Time last_heard_;
  Time partial_since_ = kNever;
};

using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

// TCP, or TLS where `tls` is given. `tls_name`: whom the certificate of a server that is dialled must name,
// and what SNI says; an address, or empty to take any.
std::shared_ptr<Connection> make_stream_connection(ConnectionOwner& owner,
                                                   boost::asio::ip::tcp::socket socket, const Flow& flow,
                                                   TlsContext tls, const std::string& tls_name);

// WebSocket, secure where `tls` is given; to serve only. `origins`: those that may open it, `*` for any;
// where the list is empty, pages of the host itself. A peer that sends no Origin is no browser. (RFC 7118,
// RFC 6455 §10.2)
std::shared_ptr<Connection> make_websocket_connection(ConnectionOwner& owner,
                                                      boost::asio::ip::tcp::socket socket, const Flow& flow,
                                                      TlsContext tls,
                                                      const std::vector<std::string>& origins);

}  // namespace vas::signaling
