#include "tls/handshake_budget.h"

#include <algorithm>
#include <string_view>

#include "base/source_block.h"

namespace vas {

TokenBucket& HandshakeBudget::Table::touch(const IpAddress& key) {
  if (const auto found = index_.find(key); found != index_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return entries_.front().bucket;
  }
  if (entries_.size() >= kMaxAddresses) {
    index_.erase(entries_.back().key);
    entries_.pop_back();
  }
  entries_.push_front({key, {}});
  index_.emplace(key, entries_.begin());
  return entries_.front().bucket;
}

bool HandshakeBudget::draw(const IpAddress& peer, Welcome welcome, Time now) {
  thread_check_.check();
  if (welcome == Welcome::kNone) return false;
  if (limits_.per_second == 0) return true;
  const IpAddress key = source_block(peer);
  const bool is_stranger = welcome != Welcome::kTrusted && !proved_.contains(key);
  // Its own bucket first: what one address asks for too much takes nothing from the others.
  if (welcome != Welcome::kTrusted) {
    TokenBucket& own = (is_stranger ? strangers_ : proved_).touch(key);
    const bool has_more = !is_stranger && limits_.per_second_of_proved != 0;
    const std::uint32_t most = has_more ? limits_.per_second_of_proved : limits_.per_second_of_address;
    if (!own.draw({static_cast<double>(most)}, now)) return false;
  }
  const double strangers_share = std::max(1.0, limits_.per_second / 2.0);
  return is_stranger ? of_strangers_.draw({strangers_share}, now)
                     : of_others_.draw({std::max(1.0, limits_.per_second - strangers_share)}, now);
}

void HandshakeBudget::prove(const IpAddress& peer) {
  thread_check_.check();
  proved_.touch(source_block(peer));
}

}  // namespace vas
