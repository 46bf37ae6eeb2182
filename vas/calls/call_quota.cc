#include "vas/calls/call_quota.h"

#include <algorithm>

namespace vas::calls {
namespace {

// Calls: with so few, three quarters of them for one customer would turn away what there is room for.
constexpr std::int64_t kSmallNode = 64;

TokenRate rate_of(const CallQuota::Holder& holder) { return {static_cast<double>(holder.per_second)}; }

}  // namespace

CallQuota::Verdict CallQuota::judge(const Holder& holder, const Entry& entry, Time now) {
  if (holder.most_calls > 0 && entry.calls >= static_cast<std::size_t>(holder.most_calls))
    return Verdict::kTooMany;
  if (holder.per_second == 0) return Verdict::kGranted;
  return entry.rate.has_token(rate_of(holder), now) ? Verdict::kGranted : Verdict::kTooFast;
}

CallQuota::Outcome CallQuota::claim(std::span<const Holder> holders, Time now) {
  thread_check_.check();
  if (entries_.size() > kMaxIdle) forget_idle(now);
  for (const Holder& holder : holders) {
    const Verdict verdict = judge(holder, entries_[{holder.kind, holder.id}], now);
    if (verdict != Verdict::kGranted) return {verdict, holder.kind};
  }
  for (const Holder& holder : holders) {
    Entry& entry = entries_[{holder.kind, holder.id}];
    ++entry.calls;
    if (holder.per_second > 0) entry.rate.spend(rate_of(holder), now);
  }
  return {};
}

void CallQuota::give_back(std::span<const Holder> holders) {
  thread_check_.check();
  for (const Holder& holder : holders) {
    const auto found = entries_.find({holder.kind, holder.id});
    if (found != entries_.end() && found->second.calls > 0) --found->second.calls;
  }
}

void CallQuota::forget_idle(Time now) {
  std::erase_if(entries_,
                [now](const auto& each) { return each.second.calls == 0 && each.second.rate.is_full(now); });
}

std::size_t CallQuota::calls_of(Kind kind, std::int64_t id) const {
  const auto found = entries_.find({kind, id});
  return found == entries_.end() ? 0 : found->second.calls;
}

std::vector<std::pair<std::int64_t, std::size_t>> CallQuota::busiest(Kind kind, std::size_t most) const {
  std::vector<std::pair<std::int64_t, std::size_t>> all;
  for (const auto& [key, entry] : entries_) {
    if (key.kind == kind && entry.calls > 0) all.emplace_back(key.id, entry.calls);
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  if (all.size() > most) all.resize(most);
  return all;
}

std::int64_t share_of_calls(std::int64_t capacity, bool is_alone) {
  if (is_alone || capacity < kSmallNode) return capacity;
  return capacity * 3 / 4;
}

}  // namespace vas::calls
