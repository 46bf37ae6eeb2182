#include "signaling/gateway/policy/source_ledger.h"

#include <algorithm>
#include <array>

#include "base/random.h"

namespace vas::signaling {
namespace {

// The next ban within a day lasts twice as long, and never longer than that day.
constexpr Duration kRemembersBans = std::chrono::hours(24);
constexpr std::uint64_t kLongestBanSeconds = 24 * 3600;

}  // namespace

std::string_view to_string(Offence offence) {
  switch (offence) {
    case Offence::kMalformed: return "malformed";
    case Offence::kBadToken: return "bad-token";
    case Offence::kScanner: return "scanner";
  }
  return "?";
}

std::size_t SourceLedger::Hash::operator()(const IpAddress& address) const {
  // Salted: who forges sources must not choose their buckets.
  static const std::string salt = random_hex(8);
  std::array<char, 16 + sizeof address.bytes> text{};
  std::copy(salt.begin(), salt.end(), text.begin());
  std::copy(address.bytes.begin(), address.bytes.end(), text.begin() + 16);
  return std::hash<std::string_view>{}({text.data(), text.size()});
}

SourceLedger::Entry& SourceLedger::touch(const IpAddress& source) {
  const IpAddress key = source_block(source);
  const auto found = index_.find(key);
  if (found != index_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return entries_.front();
  }
  if (entries_.size() >= kMaxSources) {
    index_.erase(entries_.back().source);
    entries_.pop_back();
  }
  entries_.push_front({.source = key});
  index_.emplace(key, entries_.begin());
  return entries_.front();
}

bool SourceLedger::has_ban(SourceKind kind, const IpAddress& key, Time now) const {
  const Bans& bans = bans_[static_cast<std::size_t>(kind)];
  const auto found = bans.find(key);
  return found != bans.end() && now < found->second.ban.until;
}

bool SourceLedger::is_banned(const IpAddress& source, SourceKind kind, Time now) const {
  thread_check_.check();
  const IpAddress key = source_block(source);
  return has_ban(SourceKind::kConnection, key, now) ||
         (kind == SourceKind::kDatagram && has_ban(SourceKind::kDatagram, key, now));
}

void SourceLedger::count_dropped(const IpAddress& source) {
  thread_check_.check();
  for (Bans& bans : bans_) {
    const auto found = bans.find(source_block(source));
    if (found != bans.end()) ++found->second.ban.dropped;
  }
}

bool SourceLedger::accepts_request(const IpAddress& source, Purse purse, Time now) {
  thread_check_.check();
  return limits_.requests_per_second == 0 || touch(source).requests[static_cast<std::size_t>(purse)].draw(
                                                 {static_cast<double>(limits_.requests_per_second)}, now);
}

bool SourceLedger::accepts_refusal(const IpAddress& source, Time now) {
  thread_check_.check();
  return touch(source).refusals.draw({kRefusalsPerSecond}, now);
}

std::optional<Ban> SourceLedger::count_offence(const IpAddress& source, Offence offence, SourceKind kind,
                                               Time now) {
  thread_check_.check();
  if (limits_.offences == 0) return {};
  Entry& entry = touch(source);
  if (has_ban(kind, entry.source, now)) return {};
  Offences& offences = entry.offences[static_cast<std::size_t>(kind)];
  if (now - offences.window_began > kOffenceWindow) offences = {0, now};
  ++offences.count;
  if (offence != Offence::kScanner && offences.count < limits_.offences) return {};
  offences.count = 0;
  return ban(entry.source, offence, kind, now);
}

std::optional<Ban> SourceLedger::ban(const IpAddress& key, Offence offence, SourceKind kind, Time now) {
  const bool is_datagram = kind == SourceKind::kDatagram;
  if (is_datagram && !datagram_bans_.draw({kDatagramBansPerSecond}, now)) return {};
  if (!of(kind).contains(key) && !makes_room(kind, now)) return {};
  Past& past = of(kind)[key];
  if (is_datagram || now - past.ban.until > kRemembersBans) past.times = 0;
  const std::uint64_t seconds = std::min(
      std::uint64_t{limits_.ban_seconds} << std::min<std::uint32_t>(past.times, 16), kLongestBanSeconds);
  ++past.times;
  const Duration lasts = is_datagram ? std::min<Duration>(std::chrono::seconds(seconds), kDatagramBan)
                                     : Duration(std::chrono::seconds(seconds));
  past.ban = Ban{key, offence, now + lasts, 0, kind};
  return past.ban;
}

bool SourceLedger::makes_room(SourceKind kind, Time now) {
  Bans& bans = of(kind);
  if (bans.size() < kMaxBans) return true;
  const auto first = std::min_element(bans.begin(), bans.end(), [](const auto& a, const auto& b) {
    return a.second.ban.until < b.second.ban.until;
  });
  if (kind == SourceKind::kDatagram && now < first->second.ban.until) return false;
  bans.erase(first);
  return true;
}

std::vector<Ban> SourceLedger::bans(Time now) const {
  thread_check_.check();
  std::vector<Ban> all;
  for (const Bans& bans : bans_) {
    for (const auto& [source, past] : bans) {
      if (now < past.ban.until) all.push_back(past.ban);
    }
  }
  return all;
}

bool SourceLedger::lift(const IpAddress& source) {
  thread_check_.check();
  bool was_banned = false;
  for (Bans& bans : bans_) was_banned = bans.erase(source_block(source)) != 0 || was_banned;
  return was_banned;
}

}  // namespace vas::signaling
