// A connection that was accepted and has said nothing yet.
#pragma once

#include <functional>

#include "signaling/gateway/net/connection.h"
#include "tls/handshake_budget.h"

namespace vas::signaling {

// Costs its descriptor and little else: what TLS and WebSockets need (70 KiB) is made when there is a first
// byte, and a budget for it. Another connection then takes its place.
//
// Threads: the streams'.
class Newcomer final : public Connection {
 public:
  using OnFirstByte = std::function<void(Newcomer&)>;

  Newcomer(ConnectionOwner& owner, boost::asio::ip::tcp::socket socket, const Flow& flow,
           OnFirstByte on_first_byte)
      : Connection(owner, flow), socket_(std::move(socket)), on_first_byte_(std::move(on_first_byte)) {}

  void serve() override;
  void dial() override { close(); }
  void go_on() override {}

  // Without taking it from the stream; 0 where the peer has closed.
  unsigned char first_byte();
  boost::asio::ip::tcp::socket release_socket() { return std::move(socket_); }
  // What the gateway thinks of the address: set before serve().
  Welcome welcome = Welcome::kNone;

 private:
  void write(const std::string&) override {}
  void shut() override;

  boost::asio::ip::tcp::socket socket_;
  const OnFirstByte on_first_byte_;
};

}  // namespace vas::signaling
