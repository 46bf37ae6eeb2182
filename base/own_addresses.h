// The addresses that this host has, as one who watches the kernel tells.
#pragma once

#include <mutex>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "base/endpoint.h"

namespace vas {

// Threads: set() by one, the rest by any. The lock is held for as long as a look at a short list takes; who
//          is asked for each packet keeps what it was told.
class OwnAddresses {
 public:
  struct Lists {
    std::vector<Network> local;   // what is sent there comes back to this host
    std::vector<Network> groups;  // and there, to all hosts of a network of ours
  };

  void set(Lists lists) {
    const std::unique_lock lock(mutex_);
    lists_ = std::move(lists);
  }
  bool contains(const IpAddress& address) const {
    const std::shared_lock lock(mutex_);
    return is_in(lists_.local, address);
  }
  bool is_group(const IpAddress& address) const {
    const std::shared_lock lock(mutex_);
    return is_in(lists_.groups, address);
  }

 private:
  static bool is_in(const std::vector<Network>& networks, const IpAddress& address) {
    for (const Network& each : networks) {
      if (each.contains(address)) return true;
    }
    return false;
  }

  mutable std::shared_mutex mutex_;
  Lists lists_;
};

}  // namespace vas
