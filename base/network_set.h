// Many blocks of addresses, asked one question: is this address in one of them?
#pragma once

#include <cstddef>
#include <map>
#include <unordered_set>
#include <utility>

#include "base/endpoint.h"

namespace vas {

// Asks once for each length of prefix that there is, however many blocks there are.
//
// Threads: any, as long as nobody adds.
class NetworkSet {
 public:
  void add(const Network& network);
  bool contains(const IpAddress& address) const;

 private:
  struct Hash {
    std::size_t operator()(const IpAddress& address) const;
  };
  std::map<std::pair<AddressFamily, int>, std::unordered_set<IpAddress, Hash>> by_length_;
};

}  // namespace vas
