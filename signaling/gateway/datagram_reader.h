// Datagrams off a UDP socket, several at each wake-up, with how long they have waited in the socket.
#pragma once

#include <array>
#include <boost/asio/ip/udp.hpp>
#include <functional>
#include <string_view>

#include "vas/base/endpoint.h"
#include "vas/base/time.h"

namespace vas::signaling {

// Threads: the socket's context's. Lifetime: the socket outlives it.
// Bounds:  kEachTurn datagrams, then others have their turn; what waits beyond the socket's buffer is lost.
class DatagramReader {
 public:
  static constexpr int kEachTurn = 32;
  using Receive = std::function<void(std::string_view text, const Endpoint& from)>;

  DatagramReader(boost::asio::ip::udp::socket& socket, Receive receive)
      : socket_(socket), receive_(std::move(receive)) {}

  void start();
  // By the kernel's stamp on the datagram at hand; zero when none is left.
  Duration waited() const { return waited_; }

 private:
  void await();
  bool read_one();

  boost::asio::ip::udp::socket& socket_;
  Receive receive_;
  Duration waited_{};
  std::array<char, 65536> buffer_{};
};

}  // namespace vas::signaling
