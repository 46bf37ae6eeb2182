// All connections of SIP peers: found by number or by peer, bounded in all and for each address, swept.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>

#include "base/thread_check.h"
#include "signaling/gateway/net/connection.h"

namespace vas::signaling {

// Threads: the streams'.
// Bounds:  `max_connections` in all: when they are used up, the one that has been silent longest without
//          ever proving itself makes room. Of WebSockets that are open and have said nothing kMaxSilentPages;
//          the one that was opened first goes. `max_of_address` from one address,
//          an IPv6 /64 counting as one.
class ConnectionTable {
 public:
  // Each is a page that somebody has open and does not call with; a quarter of the connections by default.
  static constexpr std::size_t kMaxSilentPages = 2048;

  ConnectionTable(std::size_t max_connections, std::size_t max_of_address)
      : max_connections_(max_connections), max_of_address_(max_of_address) {}

  std::uint64_t next_id() { return next_id_++; }
  // Whether one more from `peer` may come; makes room for it where that is possible.
  bool makes_room_for(const IpAddress& peer);
  void add(const std::shared_ptr<Connection>& connection);
  // One that we made: find_dialled() finds it, so that requests share it. `tls_name` is whom it proved to be.
  void add_dialled(const std::shared_ptr<Connection>& connection, const std::string& tls_name);
  // In the place of the one that has its flow.
  void replace(const std::shared_ptr<Connection>& connection);
  void remove(const Connection& connection);
  void clear();

  Connection* find(std::uint64_t id) const;
  // Only those that we made: one that was accepted has not proved whose it is.
  Connection* find_dialled(Transport transport, const Endpoint& peer, const std::string& tls_name) const;
  void close_overdue(Time now);
  // Those that have not proved themselves: a call may be up on the others.
  void close_unproved_of(const IpAddress& peer);
  std::size_t size() const { return by_id_.size(); }

 private:
  using PeerKey = std::tuple<Transport, Endpoint, std::string>;

  std::shared_ptr<Connection> longest_silent() const;

  const std::size_t max_connections_;
  const std::size_t max_of_address_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> by_id_;
  std::map<PeerKey, std::uint64_t> dialled_;
  std::map<IpAddress, std::size_t> per_source_;
  std::uint64_t next_id_ = 1;
  ThreadCheck thread_check_{"ConnectionTable"};
};

}  // namespace vas::signaling
