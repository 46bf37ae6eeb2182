// Datagrams off a UDP socket, several at each wake-up, with how long they have waited in the socket.
#pragma once

#include <array>
#include <boost/asio/ip/udp.hpp>
#include <functional>
#include <string_view>

#include "base/endpoint.h"
#include "base/thread_check.h"
#include "base/time.h"

namespace vas::signaling {

// Threads: the socket's context's; start() and waited() before that runs too. Lifetime: the socket outlives
// it. Bounds:  kEachTurn datagrams, and as many errors, then others have their turn; what waits beyond the
// socket's buffer is lost.
class DatagramReader {
 public:
  // One flood does not starve the other sockets.
  static constexpr int kEachTurn = 32;
  using Receive = std::function<void(std::string_view text, const Endpoint& from)>;

  // The beginning of a datagram of ours that an ICMP error quotes, which anybody can make up.
  using Undelivered = std::function<void(std::string_view text)>;

  // `undelivered`: none: nobody asks.
  DatagramReader(boost::asio::ip::udp::socket& socket, Receive receive, Undelivered undelivered = {})
      : socket_(socket), receive_(std::move(receive)), undelivered_(std::move(undelivered)) {}

  void start();
  // By the kernel's stamp on the datagram at hand; zero when none is left.
  Duration waited() const { return waited_; }

 private:
  void await();
  bool read_one();
  bool read_error();

  boost::asio::ip::udp::socket& socket_;
  Receive receive_;
  Undelivered undelivered_;
  Duration waited_{};
  std::array<char, 65536> buffer_{};
  ThreadCheck thread_check_{"DatagramReader"};
};

}  // namespace vas::signaling
