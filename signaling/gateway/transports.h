// Every socket that faces the network with SIP: UDP, TCP, TLS, WebSocket, secure WebSocket. Bytes in, whole
// messages out; knows nothing of what they say.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/gateway/connection_table.h"
#include "signaling/gateway/listener_table.h"
#include "signaling/gateway/tls_contexts.h"
#include "vas/base/result.h"

namespace vas::signaling {

struct TransportsConfig {
  std::vector<Endpoint> sip;  // UDP and TCP
  std::vector<Endpoint> tls;
  std::vector<Endpoint> ws;
  std::vector<Endpoint> wss;
  // What peers are told instead of a listening address (1:1 NAT). Without `local`: of all of the IP version.
  struct Advertised {
    std::optional<IpAddress> local;
    IpAddress address;
  };
  std::vector<Advertised> advertised;
  TlsConfig certificates;
  std::vector<std::string> ws_origins;  // connection.h
  std::size_t max_connections = 8192;
  std::size_t max_connections_of_address = 256;
};

class TransportsReceiver {
 public:
  virtual ~TransportsReceiver() = default;
  virtual bool on_message(std::string_view text, const Flow& source) = 0;  // as ConnectionOwner's
  virtual bool may_connect(const IpAddress& peer) = 0;
  // A message that was to leave by a connection that could not be made, or broke first.
  virtual void on_unsent(std::string_view text, const Flow& flow) = 0;
};

class UdpListener;

// Threads: bind() from any; the rest on the context's. Lifetime: `receiver` outlives it.
class Transports final : public ConnectionOwner {
 public:
  Transports(boost::asio::io_context& context, const TransportsConfig& config, TransportsReceiver& receiver);
  ~Transports() override;

  // All of them, or an error that names the address that could not be had.
  Result<bool> bind();
  void start();

  // By the flow's connection; without one, by a connection to the peer that is there or is made now.
  // `tls_name`: connection.h. What cannot leave is lost, or comes back by on_unsent.
  void send(const Flow& flow, std::string text, const std::string& tls_name = {});
  void drop(const IpAddress& peer) { connections_.close_unproved_of(peer); }

  const ListenerTable& listeners() const { return listeners_; }
  // How long datagrams wait for us at present.
  Duration waited() const;
  std::size_t connections() const { return connections_.size(); }

 private:
  struct Acceptor {
    boost::asio::ip::tcp::acceptor socket;
    Transport transport;
    std::uint16_t listener;
  };

  bool on_message(std::string_view text, const Flow& source) override;
  void on_closed(Connection& connection) override;

  Endpoint advertised(const Endpoint& local) const;
  void bind_sip(const Endpoint& wanted);
  bool try_bind_sip(const Endpoint& wanted, bool is_last_try);
  void bind_stream(const Endpoint& wanted, Transport transport);
  boost::system::error_code add_acceptor(const Endpoint& local, Transport transport);
  void accept(Acceptor& acceptor);
  void retry_accept(Acceptor& acceptor);
  void serve(const Acceptor& acceptor, boost::asio::ip::tcp::socket socket);
  void sweep();
  Connection* connection_for(const Flow& flow, const std::string& tls_name);

  boost::asio::io_context& context_;
  const TransportsConfig config_;
  TransportsReceiver& receiver_;
  std::optional<TlsContexts> tls_;
  ListenerTable listeners_;
  std::vector<std::unique_ptr<UdpListener>> udp_;  // by listener; null where that is none of UDP
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  ConnectionTable connections_;
  boost::asio::steady_timer sweep_timer_;
  Time reload_at_{};  // certificates
};

}  // namespace vas::signaling
