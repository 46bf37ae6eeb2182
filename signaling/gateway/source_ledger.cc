#include "signaling/gateway/source_ledger.h"

#include <algorithm>

namespace vas::signaling {
namespace {

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

IpAddress source_key(const IpAddress& address) {
  IpAddress key = address;
  if (key.family == AddressFamily::kIpv6) std::fill(key.bytes.begin() + 8, key.bytes.end(), std::uint8_t{0});
  return key;
}

std::size_t SourceLedger::Hash::operator()(const IpAddress& address) const {
  return std::hash<std::string_view>{}(
      {reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size()});
}

bool SourceLedger::Bucket::take(double per_second, Time now) {
  if (tokens < 0) {
    tokens = 2 * per_second;
  } else {
    const double elapsed = std::chrono::duration<double>(now - filled_at).count();
    tokens = std::min(2 * per_second, tokens + elapsed * per_second);
  }
  filled_at = now;
  if (tokens < 1) return false;
  tokens -= 1;
  return true;
}

SourceLedger::Entry& SourceLedger::touch(const IpAddress& source) {
  const IpAddress key = source_key(source);
  const auto found = index_.find(key);
  if (found != index_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return entries_.front();
  }
  if (entries_.size() >= kMaxSources) forget_one();
  entries_.push_front({.source = key});
  index_.emplace(key, entries_.begin());
  return entries_.front();
}

// The quietest, unless it is banned: then, among the last few, one that is not.
void SourceLedger::forget_one() {
  constexpr int kTries = 16;
  auto victim = std::prev(entries_.end());
  for (int i = 0; i < kTries && victim->ban && victim != entries_.begin(); ++i) --victim;
  index_.erase(victim->source);
  entries_.erase(victim);
}

bool SourceLedger::is_banned(const IpAddress& source, Time now) {
  const auto found = index_.find(source_key(source));
  if (found == index_.end() || !found->second->ban) return false;
  Entry& entry = *found->second;
  if (now >= entry.ban->until) {
    entry.last_ban_ended = entry.ban->until;
    entry.ban.reset();
    return false;
  }
  ++entry.ban->dropped;
  return true;
}

bool SourceLedger::takes_request(const IpAddress& source, Time now) {
  return limits_.requests_per_second == 0 || touch(source).requests.take(limits_.requests_per_second, now);
}

bool SourceLedger::takes_refusal(const IpAddress& source, Time now) {
  return touch(source).refusals.take(kRefusalsPerSecond, now);
}

std::optional<Ban> SourceLedger::note(const IpAddress& source, Offence offence, Time now) {
  if (limits_.offences == 0) return {};
  Entry& entry = touch(source);
  if (entry.ban) return {};
  if (now - entry.window_began > kOffenceWindow) {
    entry.window_began = now;
    entry.offences = 0;
  }
  ++entry.offences;
  if (offence != Offence::kScanner && entry.offences < limits_.offences) return {};

  if (entry.bans_before != 0 && now - entry.last_ban_ended > kRemembersBans) entry.bans_before = 0;
  const std::uint64_t seconds =
      std::min(std::uint64_t{limits_.ban_seconds} << std::min<std::uint32_t>(entry.bans_before, 16),
               kLongestBanSeconds);
  ++entry.bans_before;
  entry.offences = 0;
  entry.ban = Ban{entry.source, offence, now + std::chrono::seconds(seconds), 0};
  return entry.ban;
}

std::vector<Ban> SourceLedger::bans(Time now) const {
  std::vector<Ban> all;
  for (const Entry& entry : entries_) {
    if (entry.ban && entry.ban->until > now) all.push_back(*entry.ban);
  }
  return all;
}

bool SourceLedger::lift(const IpAddress& source) {
  const auto found = index_.find(source_key(source));
  if (found == index_.end() || !found->second->ban) return false;
  found->second->ban.reset();
  found->second->bans_before = 0;
  return true;
}

}  // namespace vas::signaling
