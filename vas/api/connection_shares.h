// Who has how many of the API's connections, and which one goes when there are too many.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

#include "base/source_block.h"
#include "base/thread_check.h"

namespace vas::api {

// A connection is a stranger's until a right key or a right poll came over it. Strangers make room: for
// others of their address when that has its share, for anybody when all places are taken; the oldest goes
// first. Who has proved to be somebody is left alone, unless an owner has over half of all places.
//
// Pure: tells which to close. Threads: one.
// Bounds:  `all` connections, `strangers_of_address` of them from one address (IPv6: one /64) before they
//          prove themselves; a proxy's are not counted by address.
class ConnectionShares {
 public:
  using Id = std::uint64_t;
  static constexpr std::int64_t kPlatform = 0;  // an owner without a share: the system's own keys

  ConnectionShares(std::size_t all, std::size_t strangers_of_address)
      : all_(all), strangers_of_address_(strangers_of_address) {}

  struct Place {
    bool is_taken = false;
    std::optional<Id> makes_room;  // this one is forgotten; close it
  };
  Place add(Id id, const IpAddress& peer, bool is_proxy);
  // Proved to be `owner`'s: a key's or a domain's number.
  void vouch(Id id, std::int64_t owner);
  void remove(Id id);
  std::size_t size() const { return entries_.size(); }
  std::size_t strangers() const { return strangers_.size(); }

 private:
  using Line = std::list<Id>;  // oldest first
  struct Entry {
    IpAddress block;
    bool is_stranger = true;
    std::optional<std::int64_t> owner;
    Line::iterator in_all;
    std::optional<Line::iterator> in_block;  // none: a proxy's
  };
  void leave_lines(Entry& entry);

  const std::size_t all_;
  const std::size_t strangers_of_address_;
  std::unordered_map<Id, Entry> entries_;
  Line strangers_;
  std::unordered_map<IpAddress, Line, IpAddressHash> strangers_of_;
  std::unordered_map<std::int64_t, std::size_t> proved_of_;
  ThreadCheck thread_check_{"ConnectionShares"};
};

}  // namespace vas::api
