#include "vas/api/client_ledger.h"

namespace vas::api {

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

// Asking costs nothing and remembers nobody: most are right.
bool ClientLedger::may_try(const IpAddress& client, Time now) {
  thread_check_.check();
  if (limits_.failures_per_minute == 0 || !by_block_.contains(source_block(client))) return true;
  return touch(client).failures.has_token(rate_of_failures(), now);
}

void ClientLedger::count_failure(const IpAddress& client, Time now) {
  thread_check_.check();
  if (limits_.failures_per_minute == 0) return;
  touch(client).failures.spend(rate_of_failures(), now);
}

bool ClientLedger::accepts_keyless(const IpAddress& client, Time now) {
  thread_check_.check();
  if (limits_.keyless_per_second == 0) return true;
  return touch(client).keyless.draw({static_cast<double>(limits_.keyless_per_second)}, now);
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
