// What each source address has done: how many requests it sent, what of it was bad, and whether it is banned.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vas/base/endpoint.h"
#include "vas/base/time.h"

namespace vas::signaling {

enum class Offence : std::uint8_t { kMalformed, kBadToken, kScanner };
std::string_view to_string(Offence offence);  // "malformed", "bad-token", "scanner": for the log and the API

// The unit that is counted: an IPv4 address, or an IPv6 /64, whose holder has all of it.
IpAddress source_key(const IpAddress& address);

struct Ban {
  IpAddress source;
  Offence offence = Offence::kMalformed;
  Time until{};
  std::uint64_t dropped = 0;  // messages since
};

struct SourceLimits {
  std::uint32_t requests_per_second = 100;  // outside dialogs; twice as many at once. 0: no limit
  std::uint32_t offences = 20;      // within kOffenceWindow, then a ban; a scanner needs one. 0: never
  std::uint32_t ban_seconds = 300;  // doubled at each ban that follows within a day, up to a day
};

// Threads: the gateway's.
// Bounds:  kMaxSources; the one that was quiet longest is forgotten, bans last.
class SourceLedger {
 public:
  static constexpr std::size_t kMaxSources = 65536;
  static constexpr Duration kOffenceWindow = std::chrono::seconds(60);
  static constexpr std::uint32_t kRefusalsPerSecond = 20;  // stateless answers to one source

  explicit SourceLedger(const SourceLimits& limits) : limits_(limits) {}

  bool is_banned(const IpAddress& source, Time now);  // counts what it stops
  // False when the source has used up its requests for now.
  bool takes_request(const IpAddress& source, Time now);
  // False when it has had enough answers for its mistakes.
  bool takes_refusal(const IpAddress& source, Time now);
  // The ban that this offence brings, if it does.
  std::optional<Ban> note(const IpAddress& source, Offence offence, Time now);

  std::vector<Ban> bans(Time now) const;
  bool lift(const IpAddress& source);
  std::size_t size() const { return entries_.size(); }

 private:
  // Fills at a rate up to twice of it; each take costs one.
  struct Bucket {
    double tokens = -1;  // negative: not used yet
    Time filled_at{};
    bool take(double per_second, Time now);
  };
  struct Entry {
    IpAddress source;
    Bucket requests;
    Bucket refusals;
    std::uint32_t offences = 0;
    Time window_began{};
    std::optional<Ban> ban;
    std::uint32_t bans_before = 0;
    Time last_ban_ended{};
  };
  using Entries = std::list<Entry>;  // last used first
  struct Hash {
    std::size_t operator()(const IpAddress& address) const;
  };

  Entry& touch(const IpAddress& source);
  void forget_one();

  const SourceLimits limits_;
  Entries entries_;
  std::unordered_map<IpAddress, Entries::iterator, Hash> index_;
};

}  // namespace vas::signaling
