#include "vas/api/client_ledger.h"

#include <algorithm>

namespace vas::api {

void ClientLedger::Bucket::fill(double most, double per_second, Time now) {
  const double seconds = std::chrono::duration<double>(now - filled_at).count();
  tokens = tokens < 0 ? most : std::min(most, tokens + seconds * per_second);
  filled_at = now;
}

ClientLedger::Client& ClientLedger::touch(const IpAddress& address) {
  const IpAddress block = source_block(address);
  const auto found = by_block_.find(block);
  if (found != by_block_.end()) {
    clients_.splice(clients_.begin(), clients_, found->second);
    return clients_.front();
  }
  if (clients_.size() >= kMaxClients) {
    by_block_.erase(clients_.back().block);
    clients_.pop_back();
  }
  clients_.push_front({.block = block});
  by_block_.emplace(block, clients_.begin());
  return clients_.front();
}

ClientLedger::Bucket& ClientLedger::failures_of(const IpAddress& address, Time now) {
  Bucket& bucket = touch(address).failures;
  bucket.fill(kFailuresAtOnce, limits_.failures_per_minute / 60.0, now);
  return bucket;
}

// Asking costs nothing and remembers nobody: most are right.
bool ClientLedger::may_try(const IpAddress& client, Time now) {
  thread_check_.check();
  if (limits_.failures_per_minute == 0 || !by_block_.contains(source_block(client))) return true;
  return failures_of(client, now).tokens >= 1;
}

void ClientLedger::note_failure(const IpAddress& client, Time now) {
  thread_check_.check();
  if (limits_.failures_per_minute == 0) return;
  Bucket& bucket = failures_of(client, now);
  bucket.tokens = std::max(0.0, bucket.tokens - 1);
}

bool ClientLedger::takes_keyless(const IpAddress& client, Time now) {
  thread_check_.check();
  if (limits_.keyless_per_second == 0) return true;
  Bucket& bucket = touch(client).keyless;
  bucket.fill(2.0 * limits_.keyless_per_second, limits_.keyless_per_second, now);
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

bool ClientLedger::knows(const IpAddress& client, std::int64_t key_id) {
  thread_check_.check();
  const auto found = known_index_.find({source_block(client), key_id});
  if (found == known_index_.end()) return false;
  known_.splice(known_.begin(), known_, found->second);
  return true;
}

void ClientLedger::learn(const IpAddress& client, std::int64_t key_id) {
  thread_check_.check();
  if (knows(client, key_id)) return;
  if (known_.size() >= kMaxKnown) {
    known_index_.erase(known_.back());
    known_.pop_back();
  }
  known_.push_front({source_block(client), key_id});
  known_index_.emplace(known_.front(), known_.begin());
}

}  // namespace vas::api
