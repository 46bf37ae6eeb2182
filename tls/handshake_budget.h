// How many handshakes of TLS and WebSockets we begin: each costs us a thousand times what it costs the peer.
#pragma once

#include <cstdint>
#include <list>
#include <unordered_map>

#include "base/source_block.h"
#include "base/thread_check.h"
#include "base/time.h"
#include "base/token_bucket.h"

namespace vas {

// Of an address that wants to connect.
enum class Welcome : std::uint8_t { kNone, kStranger, kTrusted };

struct HandshakeLimits {
  std::uint32_t per_second = 400;  // in all; 0: no limit, for each address neither
  std::uint32_t per_second_of_address = 10;
  std::uint32_t per_second_of_proved = 0;  // of one that has proved itself; 0: the same
};

// Each bucket holds twice what comes in a second. Half of all is for strangers together, so that many of them
// leave the other half to who is trusted and who has proved itself by SIP that deserved a response.
//
// Threads: the streams'.
// Bounds:  kMaxAddresses of strangers, as many of others; the one that was quiet longest is forgotten. An
//          IPv6 /64 counts as one.
class HandshakeBudget {
 public:
  // As many as requests are counted of (SourceLedger): some megabytes.
  static constexpr std::size_t kMaxAddresses = 16384;

  explicit HandshakeBudget(const HandshakeLimits& limits) : limits_(limits) {}

  // Asked before OpenSSL sees a byte. Trusted ones are not counted by address: a carrier has many calls.
  bool draw(const IpAddress& peer, Welcome welcome, Time now);
  void prove(const IpAddress& peer);
  std::size_t strangers() const { return strangers_.size(); }

 private:
  class Table {
   public:
    TokenBucket& touch(const IpAddress& key);
    bool contains(const IpAddress& key) const { return index_.contains(key); }
    std::size_t size() const { return entries_.size(); }

   private:
    struct Entry {
      IpAddress key;
      TokenBucket bucket;
    };
    std::list<Entry> entries_;  // last used first
    std::unordered_map<IpAddress, std::list<Entry>::iterator, IpAddressHash> index_;
  };

  const HandshakeLimits limits_;
  Table strangers_;
  Table proved_;
  TokenBucket of_strangers_;
  TokenBucket of_others_;
  ThreadCheck thread_check_{"HandshakeBudget"};
};

}  // namespace vas
