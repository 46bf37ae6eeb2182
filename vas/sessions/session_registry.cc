#include "vas/sessions/session_registry.h"

#include <algorithm>
#include <utility>

namespace vas::sessions {

Session* SessionRegistry::add(Session session) {
  if (sessions_.size() >= kMaxSessions) return nullptr;
  next_id_ = std::max(next_id_, session.id + 1);
  const std::string token = session.token;
  const auto [entry, is_new] = sessions_.try_emplace(token, Entry{std::move(session), {}});
  return is_new ? &entry->second.session : nullptr;
}

Session* SessionRegistry::find(std::string_view token) {
  const auto found = sessions_.find(std::string(token));
  return found == sessions_.end() ? nullptr : &found->second.session;
}

void SessionRegistry::remove(std::string_view token) {
  wake(token, PollOutcome::kGone);
  sessions_.erase(std::string(token));
}

std::vector<const Session*> SessionRegistry::of_domain(std::int64_t domain_id) const {
  std::vector<const Session*> found;
  for (const auto& [token, entry] : sessions_) {
    if (entry.session.domain_id == domain_id) found.push_back(&entry.session);
  }
  std::sort(found.begin(), found.end(), [](const Session* a, const Session* b) { return a->id < b->id; });
  return found;
}

std::vector<std::string> SessionRegistry::expired(WallTime now,
                                                  const std::function<Duration(const Session&)>& ttl) const {
  std::vector<std::string> tokens;
  for (const auto& [token, entry] : sessions_) {
    const Session& session = entry.session;
    const bool was_dialled = session.token_state != TokenState::kFree || !session.call_ids.empty();
    if (!was_dialled && now - session.created_at >= ttl(session)) tokens.push_back(token);
  }
  return tokens;
}

std::optional<std::uint64_t> SessionRegistry::wait(std::string_view token, Waiter waiter) {
  const auto found = sessions_.find(std::string(token));
  if (found == sessions_.end() || found->second.waiters.size() >= kMaxWaiters || waiting_ >= kMaxAllWaiters)
    return {};
  const std::uint64_t ticket = next_ticket_++;
  found->second.waiters.emplace(ticket, std::move(waiter));
  ++waiting_;
  return ticket;
}

void SessionRegistry::leave(std::string_view token, std::uint64_t ticket) {
  const auto found = sessions_.find(std::string(token));
  if (found != sessions_.end()) waiting_ -= found->second.waiters.erase(ticket);
}

void SessionRegistry::wake(std::string_view token, PollOutcome outcome) {
  const auto found = sessions_.find(std::string(token));
  if (found == sessions_.end()) return;
  // A waiter may come back to the registry: it must find its ticket gone.
  const auto waiters = std::exchange(found->second.waiters, {});
  waiting_ -= waiters.size();
  for (const auto& [ticket, waiter] : waiters) waiter(outcome);
}

}  // namespace vas::sessions
