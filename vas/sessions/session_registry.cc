#include "vas/sessions/session_registry.h"

#include <algorithm>
#include <utility>

namespace vas::sessions {

// What is kept beside the texts: the objects, and their places in the indexes.
constexpr std::size_t kBytesBeside = 768;

std::size_t SessionRegistry::bytes_of(const Session& session) {
  return kBytesBeside + session.routing_json.size() + session.callback.size() + session.remote.size() +
         session.caller_id.size() + 2 * session.made_by.key.size() + 2 * session.made_by.request.size();
}

Session* SessionRegistry::add(Session session) {
  thread_check_.check();
  const std::size_t bytes = bytes_of(session);
  if (sessions_.size() >= kMaxSessions || bytes > kMaxBytes - bytes_) return nullptr;
  last_id_ = std::max(last_id_, session.id);
  const std::string token = session.token;
  const auto [entry, is_new] = sessions_.try_emplace(token, Entry{std::move(session), {}, bytes});
  if (!is_new) return nullptr;
  const Session& added = entry->second.session;
  Use& use = per_domain_[added.domain_id];
  ++use.sessions;
  use.bytes += bytes;
  bytes_ += bytes;
  expiries_.emplace(added.expires_at, token);
  creation_keys_.add(added);
  if (index_ != nullptr) index_->add(token, added.node);
  return &entry->second.session;
}

Session* SessionRegistry::find(std::string_view token) {
  thread_check_.check();
  const auto found = sessions_.find(std::string(token));
  return found == sessions_.end() ? nullptr : &found->second.session;
}

void SessionRegistry::replace(Session session) {
  thread_check_.check();
  const auto found = sessions_.find(session.token);
  if (found == sessions_.end()) {
    add(std::move(session));
    return;
  }
  // What the entry is filed under stays as it was.
  session.domain_id = found->second.session.domain_id;
  session.expires_at = found->second.session.expires_at;
  const bool is_picked_up = session.status == Status::kConnected || session.token_state == TokenState::kUsed;
  const std::string token = session.token;
  found->second.session = std::move(session);
  count_anew(token);
  if (is_picked_up) wake(token, PollOutcome::kConnected);
}

void SessionRegistry::remove(std::string_view token) {
  thread_check_.check();
  wake(token, PollOutcome::kGone);
  const auto found = sessions_.find(std::string(token));
  if (found == sessions_.end()) return;
  creation_keys_.end(found->second.session);
  drop(found);
}

void SessionRegistry::revoke(std::string_view token) {
  thread_check_.check();
  wake(token, PollOutcome::kGone);
  const auto found = sessions_.find(std::string(token));
  if (found == sessions_.end()) return;
  creation_keys_.drop(found->second.session);
  drop(found);
}

void SessionRegistry::count_anew(std::string_view token) {
  thread_check_.check();
  const auto found = sessions_.find(std::string(token));
  if (found == sessions_.end()) return;
  Use& use = per_domain_.at(found->second.session.domain_id);
  const std::size_t bytes = bytes_of(found->second.session);
  use.bytes = use.bytes - found->second.bytes + bytes;
  bytes_ = bytes_ - found->second.bytes + bytes;
  found->second.bytes = bytes;
}

void SessionRegistry::drop(std::unordered_map<std::string, Entry>::iterator found) {
  const Session& session = found->second.session;
  const std::string& token = found->first;
  const auto domain = per_domain_.find(session.domain_id);
  if (index_ != nullptr) index_->remove(token);
  bytes_ -= found->second.bytes;
  domain->second.bytes -= found->second.bytes;
  if (--domain->second.sessions == 0) per_domain_.erase(domain);
  expiries_.erase({session.expires_at, session.token});
  sessions_.erase(found);
}

SessionRegistry::Use SessionRegistry::use_of(std::int64_t domain_id) const {
  const auto found = per_domain_.find(domain_id);
  return found == per_domain_.end() ? Use{} : found->second;
}

std::vector<std::string> SessionRegistry::pop_expired(WallTime now) {
  thread_check_.check();
  std::vector<std::string> tokens;
  while (!expiries_.empty() && expiries_.begin()->first <= now) {
    const std::string token = expiries_.begin()->second;
    expiries_.erase(expiries_.begin());
    const Session* session = find(token);
    const bool was_dialled =
        session == nullptr || session->token_state != TokenState::kFree || !session->call_ids.empty();
    if (!was_dialled) tokens.push_back(token);
  }
  return tokens;
}

std::int64_t SessionRegistry::next_id(WallTime now) {
  thread_check_.check();
  const auto microseconds =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  last_id_ = ids_.next(std::max(last_id_, microseconds - 1));
  return last_id_;
}

std::optional<std::uint64_t> SessionRegistry::wait(std::string_view token, Waiter waiter) {
  thread_check_.check();
  const auto found = sessions_.find(std::string(token));
  if (found == sessions_.end() || found->second.waiters.size() >= kMaxWaiters || waiting_ >= kMaxAllWaiters)
    return {};
  const std::uint64_t ticket = next_ticket_++;
  found->second.waiters.emplace(ticket, std::move(waiter));
  ++waiting_;
  ++per_domain_.at(found->second.session.domain_id).waiting;
  return ticket;
}

void SessionRegistry::leave(std::string_view token, std::uint64_t ticket) {
  thread_check_.check();
  const auto found = sessions_.find(std::string(token));
  if (found != sessions_.end())
    count_left(found->second.session.domain_id, found->second.waiters.erase(ticket));
}

void SessionRegistry::count_left(std::int64_t domain_id, std::size_t waiters) {
  waiting_ -= waiters;
  per_domain_.at(domain_id).waiting -= waiters;
}

void SessionRegistry::wake(std::string_view token, PollOutcome outcome) {
  thread_check_.check();
  const auto found = sessions_.find(std::string(token));
  if (found == sessions_.end()) return;
  // A waiter may come back to the registry: it must find its ticket gone.
  const auto waiters = std::exchange(found->second.waiters, {});
  count_left(found->second.session.domain_id, waiters.size());
  for (const auto& [ticket, waiter] : waiters) waiter(outcome);
}

}  // namespace vas::sessions
