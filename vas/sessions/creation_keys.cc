#include "vas/sessions/creation_keys.h"

namespace vas::sessions {

void CreationKeys::add(const Session& session) {
  thread_check_.check();
  if (session.made_by.key.empty()) return;
  Made& made = made_[session.made_by.key];
  if (made.token.empty()) made = {session.made_by.request, session.token, {}};
}

void CreationKeys::drop(const Session& session) {
  thread_check_.check();
  const auto found = made_.find(session.made_by.key);
  if (found != made_.end() && found->second.token == session.token) made_.erase(found);
}

void CreationKeys::end(const Session& session) {
  thread_check_.check();
  const auto found = made_.find(session.made_by.key);
  if (found == made_.end() || found->second.token != session.token) return;
  const auto own = ended_.find(session.domain_id);
  bool has_room = room_.draw(session.domain_id, 1);
  if (!has_room && own != ended_.end()) {
    forget_oldest(own);
    has_room = room_.draw(session.domain_id, 1);
  }
  if (!has_room) {
    made_.erase(found);
    return;
  }
  found->second.token.clear();
  found->second.ended_at = session.modified_at;
  ended_[session.domain_id].push_back({session.modified_at, session.made_by.key});
}

const CreationKeys::Made* CreationKeys::find(const std::string& key, WallTime now) const {
  thread_check_.check();
  const auto found = made_.find(key);
  const bool is_known =
      found != made_.end() && (!found->second.token.empty() || now < found->second.ended_at + kMemory);
  return is_known ? &found->second : nullptr;
}

void CreationKeys::sweep(WallTime now) {
  thread_check_.check();
  for (auto domain = ended_.begin(); domain != ended_.end();) {
    const auto next = std::next(domain);
    for (std::size_t left = domain->second.size(); left > 0 && domain->second.front().at + kMemory <= now;
         --left)
      forget_oldest(domain);
    domain = next;
  }
}

// Of a domain that has one. The domain goes with its last.
void CreationKeys::forget_oldest(OfDomain::iterator domain) {
  const Ended oldest = std::move(domain->second.front());
  domain->second.pop_front();
  room_.give_back(domain->first, 1);
  if (domain->second.empty()) ended_.erase(domain);
  const auto found = made_.find(oldest.key);
  const bool is_the_same =
      found != made_.end() && found->second.token.empty() && found->second.ended_at == oldest.at;
  if (is_the_same) made_.erase(found);
}

}  // namespace vas::sessions
