// What each source address has done: how many requests it sent, what of it was bad, and whether it is banned.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/endpoint.h"
#include "base/source_block.h"
#include "base/thread_check.h"
#include "base/time.h"
#include "base/token_bucket.h"

namespace vas::signaling {

enum class Offence : std::uint8_t { kMalformed, kBadToken, kScanner };
std::string_view to_string(Offence offence);  // "malformed", "bad-token", "scanner": for the log and the API

// Whether the source of an offence is who it seems: a connection's is, a datagram's may be made up.
enum class SourceKind : std::uint8_t { kDatagram, kConnection };

// What a request is paid from. Who forges an address spends what strangers' datagrams from there have, and
// nothing of what its connections and its calls have; who forges a proved one, nothing of what tokens have.
enum class Purse : std::uint8_t { kDatagrams, kConnections, kProved, kTokens };

struct Ban {
  IpAddress source;
  Offence offence = Offence::kMalformed;
  Time until{};
  std::uint64_t dropped = 0;  // messages since
  SourceKind kind = SourceKind::kConnection;
};

struct SourceLimits {
  std::uint32_t requests_per_second = 100;  // outside dialogs; twice as many at once. 0: no limit
  std::uint32_t offences = 20;      // within kOffenceWindow, then a ban; a scanner needs one. 0: never
  std::uint32_t ban_seconds = 300;  // doubled at each ban that follows within a day, up to a day
};

// An offence by datagram and one over a connection are counted apart, and bring bans that are apart: that of
// datagrams is short, never longer the next time, and stops datagrams alone.
//
// Threads: the gateway's.
// Bounds:  kMaxSources; the one that was quiet longest is forgotten. kMaxBans of each kind; at it a ban by
//          datagram is not made, and one of a connection takes the place of the one that ends first.
class SourceLedger {
 public:
  // Some megabytes. A flood from more addresses makes room by the quiet ones: the loud stay counted.
  static constexpr std::size_t kMaxSources = 16384;
  // The API lists them all at once.
  static constexpr std::size_t kMaxBans = 1024;
  // Offences that are older count no more.
  static constexpr Duration kOffenceWindow = std::chrono::seconds(60);
  static constexpr std::uint32_t kRefusalsPerSecond = 20;             // stateless responses to one source
  static constexpr Duration kDatagramBan = std::chrono::seconds(60);  // at most
  static constexpr std::uint32_t kDatagramBansPerSecond = 20;         // in all: each is a line of the log

  explicit SourceLedger(const SourceLimits& limits) : limits_(limits) {}

  // Whether what comes from there in this way is kept out.
  bool is_banned(const IpAddress& source, SourceKind kind, Time now) const;
  void count_dropped(const IpAddress& source);  // a message that was kept out
  // False when the source has used up its requests of that kind for now.
  bool accepts_request(const IpAddress& source, Purse purse, Time now);
  // False when it has had enough responses to its mistakes.
  bool accepts_refusal(const IpAddress& source, Time now);
  // The ban that this offence brings, if it does.
  std::optional<Ban> count_offence(const IpAddress& source, Offence offence, SourceKind kind, Time now);

  std::vector<Ban> bans(Time now) const;
  bool lift(const IpAddress& source);
  std::size_t size() const { return entries_.size(); }

 private:
  struct Offences {
    std::uint32_t count = 0;
    Time window_began{};
  };
  struct Entry {
    IpAddress source;
    TokenBucket requests[4];  // by Purse
    TokenBucket refusals;
    Offences offences[2];  // by SourceKind
  };
  struct Past {
    Ban ban;
    std::uint32_t times = 0;  // within kRemembersBans of each other
  };
  struct Hash {
    std::size_t operator()(const IpAddress& address) const;
  };
  using Entries = std::list<Entry>;  // last used first
  using Bans = std::unordered_map<IpAddress, Past, Hash>;

  Entry& touch(const IpAddress& source);
  Bans& of(SourceKind kind) { return bans_[static_cast<std::size_t>(kind)]; }
  bool has_ban(SourceKind kind, const IpAddress& key, Time now) const;
  std::optional<Ban> ban(const IpAddress& key, Offence offence, SourceKind kind, Time now);
  bool makes_room(SourceKind kind, Time now);

  const SourceLimits limits_;
  Entries entries_;
  std::unordered_map<IpAddress, Entries::iterator, Hash> index_;
  Bans bans_[2];  // by SourceKind; those that have ended too, for as long as they count
  TokenBucket datagram_bans_;
  ThreadCheck thread_check_{"SourceLedger"};
};

}  // namespace vas::signaling
