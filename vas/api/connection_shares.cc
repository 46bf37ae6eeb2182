#include "vas/api/connection_shares.h"

#include <algorithm>

namespace vas::api {

ConnectionShares::Place ConnectionShares::add(Id id, const IpAddress& peer, bool is_proxy) {
  thread_check_.check();
  Place place{.is_taken = true};
  const IpAddress block = source_block(peer);
  const auto of_address = strangers_of_.find(block);
  const bool has_share =
      !is_proxy && of_address != strangers_of_.end() && of_address->second.size() >= strangers_of_address_;
  if (has_share) {
    place.makes_room = of_address->second.front();
  } else if (entries_.size() >= all_) {
    if (strangers_.empty()) return {};
    place.makes_room = strangers_.front();
  }
  if (place.makes_room) remove(*place.makes_room);

  Entry entry{.block = block};
  entry.in_all = strangers_.insert(strangers_.end(), id);
  if (!is_proxy) {
    Line& line = strangers_of_[block];
    entry.in_block = line.insert(line.end(), id);
  }
  entries_.insert_or_assign(id, std::move(entry));
  return place;
}

void ConnectionShares::vouch(Id id, std::int64_t owner) {
  thread_check_.check();
  const auto found = entries_.find(id);
  if (found == entries_.end() || !found->second.is_stranger) return;
  if (owner != kPlatform) {
    std::size_t& proved = proved_of_[owner];
    if (proved >= std::max<std::size_t>(1, all_ / 2)) return;
    ++proved;
    found->second.owner = owner;
  }
  leave_lines(found->second);
}

void ConnectionShares::leave_lines(Entry& entry) {
  entry.is_stranger = false;
  strangers_.erase(entry.in_all);
  if (!entry.in_block) return;
  const auto line = strangers_of_.find(entry.block);
  line->second.erase(*entry.in_block);
  if (line->second.empty()) strangers_of_.erase(line);
}

void ConnectionShares::remove(Id id) {
  thread_check_.check();
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (entry.is_stranger) leave_lines(entry);
  if (entry.owner) {
    const auto proved = proved_of_.find(*entry.owner);
    if (--proved->second == 0) proved_of_.erase(proved);
  }
  entries_.erase(found);
}

}  // namespace vas::api
