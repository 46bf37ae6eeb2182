// Every socket that faces the network with SIP: UDP, TCP, TLS, WebSocket, secure WebSocket. Bytes in, whole
// messages out; knows nothing of what they say.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_check.h"
#include "signaling/gateway/net/inbox_reader.h"
#include "signaling/gateway/net/streams.h"
#include "signaling/gateway/policy/transports_config.h"

namespace vas::signaling {

class UdpListener;

// How a message goes over connections. `tls_name`: connection.h. `is_repeated`: again and again; else once
// for as long as the connection that it went by stands.
struct Manner {
  std::string tls_name;
  bool is_repeated = true;
};

// UDP is read by the gateway's thread itself; connections have one of their own, and their messages come by a
// queue that takes turns with UDP's sockets.
//
// Threads: bind() and stop() from any; the rest on the context's. Lifetime: `receiver` outlives it.
class Transports {
 public:
  Transports(boost::asio::io_context& context, const TransportsConfig& config, TransportsReceiver& receiver);
  ~Transports();

  // All of them, or an error that names the address that could not be had.
  Result<bool> bind();
  void start();
  void stop() { streams_.stop(); }

  // By the flow's connection; without one, by a connection to the peer that is there or is made now. What
  // cannot leave is lost, or comes back by on_unsent.
  void send(const Flow& flow, std::string text, const Manner& manner = {});
  // Closes its connections that have not proved themselves.
  void drop(const IpAddress& peer) { streams_.drop(peer); }

  const ListenerTable& listeners() const { return listeners_; }
  // How long datagrams, and messages of connections, wait for us at present.
  Duration waited() const;
  const StreamCounters& streams() const { return streams_.counters(); }

 private:
  Endpoint advertised(const Endpoint& local) const;
  void bind_sip(const Endpoint& wanted);
  bool try_bind_sip(const Endpoint& wanted, bool is_last_try);
  void bind_stream(const Endpoint& wanted, Transport transport);
  boost::system::error_code listen(const Endpoint& wanted, Transport transport);
  void on_arrival(const Arrival& arrival);

  boost::asio::io_context& context_;
  const TransportsConfig config_;
  TransportsReceiver& receiver_;
  ListenerTable listeners_;
  std::vector<std::unique_ptr<UdpListener>> udp_;  // by listener; null where that is none of UDP
  ArrivalInbox arrivals_{kArrivalCapacity};
  InboxReader<Arrival> arrivals_reader_;
  Duration arrivals_waited_{};
  Streams streams_;
  ThreadCheck thread_check_{"Transports"};
};

}  // namespace vas::signaling
