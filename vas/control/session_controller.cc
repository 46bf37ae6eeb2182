#include "vas/control/session_controller.h"

#include <set>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

namespace vas::control {
namespace {

using sessions::Direction;
using sessions::Session;
using sessions::Status;
using sessions::TokenState;
using store::Transaction;
using store::Urgency;

constexpr std::size_t kTokenBytes = 16;           // 128 bits: 32 hex digits
constexpr auto kSweep = std::chrono::seconds(1);  // how often sessions that nobody has dialled are looked for
constexpr std::string_view kUpdated = "updated";
constexpr std::string_view kDeleted = "deleted";

}  // namespace

Duration call_timeout_of(const Session& session, const directory::Domain& domain) {
  return session.call_timeout_s ? std::chrono::seconds(*session.call_timeout_s) : domain.profile.call_timeout;
}

SessionController::SessionController(boost::asio::io_context& context, const DirectoryController& directory,
                                     store::Store& store, CallbackDispatcher& callbacks, std::string node,
                                     sessions::TokenIndex& tokens)
    : directory_(directory),
      store_(store),
      callbacks_(callbacks),
      node_(std::move(node)),
      registry_(&tokens),
      sweep_timer_(context) {
  sweep();
}

void SessionController::restore(std::vector<Session> sessions, const std::set<std::string>& tokens_of_calls) {
  thread_check_.check();
  for (Session& session : sessions) {
    const std::string token = session.token;
    const bool had_call = session.token_state != TokenState::kFree || !session.call_ids.empty() ||
                          tokens_of_calls.contains(token);
    const bool lives_on = !had_call && directory().domain(session.domain_id) != nullptr;
    if (registry_.add(std::move(session)) == nullptr) {
      log::error(token, "a stored session finds no place: there are too many");
      continue;
    }
    if (!lives_on) end(token, "FAILED", "node-failure");
  }
}

Session SessionController::blank(const directory::Domain& domain, const directory::Subscriber& subscriber,
                                 Direction direction) {
  const WallTime now = wall_now();
  return {.id = registry_.next_id(now),
          .token = random_hex(kTokenBytes),
          .domain_id = domain.id,
          .domain = domain.name,
          .subscriber_id = subscriber.id,
          .msisdn = subscriber.msisdn,
          .direction = direction,
          .created_at = now,
          .modified_at = now,
          .expires_at = steady_wall_now() +
                        std::chrono::duration_cast<std::chrono::milliseconds>(domain.profile.session_ttl),
          .callback = domain.profile.session_callback,
          .node = node_};
}

sessions::SessionRegistry::Use SessionController::use_of_tenant(std::int64_t tenant_id) const {
  sessions::SessionRegistry::Use sum;
  for (const std::int64_t domain : directory().domains_of(tenant_id)) {
    const auto use = registry_.use_of(domain);
    sum.sessions += use.sessions;
    sum.bytes += use.bytes;
    sum.waiting += use.waiting;
  }
  return sum;
}

// A domain has a share of the sessions, and so has its tenant; summed up only where the tenant could be over.
std::optional<std::string> SessionController::full_share(const directory::Domain& domain,
                                                         std::size_t sessions, std::size_t bytes) const {
  const auto is_over = [=](const sessions::SessionRegistry::Use& use, const directory::Caps& caps) {
    const bool is_many = use.sessions + sessions > static_cast<std::size_t>(caps.sessions);
    return sessions != 0 && is_many                                           ? "max-sessions"
           : use.bytes + bytes > static_cast<std::size_t>(caps.session_bytes) ? "max-session-bytes"
                                                                              : nullptr;
  };
  if (const char* cap = is_over(registry_.use_of(domain.id), domain.profile.caps))
    return "The domain has as many sessions as it may (`" + std::string(cap) + "` of its profile)";
  const directory::Tenant* tenant = directory().tenant(domain.tenant_id);
  const bool is_near =
      tenant != nullptr && is_over({registry_.size(), registry_.bytes(), 0}, tenant->caps) != nullptr;
  const char* cap = is_near ? is_over(use_of_tenant(tenant->id), tenant->caps) : nullptr;
  if (cap == nullptr) return {};
  return "The tenant's domains have as many sessions as they may (`" + std::string(cap) + "` of its limits)";
}

bool SessionController::has_room_for_poll(std::int64_t domain_id) const {
  const directory::Domain* domain = directory().domain(domain_id);
  if (domain == nullptr) return false;
  const auto most = static_cast<std::size_t>(domain->profile.caps.polls);
  if (registry_.use_of(domain_id).waiting >= most) return false;
  const directory::Tenant* tenant = directory().tenant(domain->tenant_id);
  const auto most_of_tenant = tenant != nullptr ? static_cast<std::size_t>(tenant->caps.polls) : most;
  return registry_.waiting() < most_of_tenant || use_of_tenant(domain->tenant_id).waiting < most_of_tenant;
}

// Stored when its call is admitted.
Session* SessionController::make_incoming(const directory::Domain& domain,
                                          const directory::Subscriber& subscriber,
                                          const std::string& origination, const std::string& caller_id) {
  thread_check_.check();
  Session session = blank(domain, subscriber, Direction::kIncoming);
  session.remote = origination;
  session.caller_id = caller_id;
  if (full_share(domain, 1, sessions::SessionRegistry::bytes_of(session))) {
    ++refused_;
    return nullptr;
  }
  return registry_.add(std::move(session));
}

void SessionController::commit(Session& session, std::string_view action, std::string_view reason,
                               std::function<void(bool)> done) {
  Transaction transaction;
  std::optional<webhooks::Event> event;
  if (!session.callback.empty()) {
    ++session.events_sent;
    event = webhooks::Event{.id = event_id(session),
                            .token = session.token,
                            .number = session.events_sent,
                            .domain_id = session.domain_id,
                            .url = session.callback,
                            .body = to_callback_json(session, action, reason),
                            .created_at = session.modified_at,
                            .next_try_at = session.modified_at};
    transaction.save(*event);
  }
  action == kDeleted ? transaction.remove(session) : transaction.save(session);
  if (!event && !done) return store_.commit(std::move(transaction), Urgency::kMustLast);
  // It goes out once it is stored: a webhook-id that was seen never comes to mean something else.
  store_.commit(std::move(transaction), Urgency::kMustLast,
                [this, event = std::move(event), done = std::move(done)](bool committed) {
                  if (event) callbacks_.add(*event);
                  if (done) done(committed);
                });
}

void SessionController::touch(Session& session) {
  session.modified_at = wall_now();
  commit(session, kUpdated, "");
}

void SessionController::admit_call(const std::string& token, const std::string& call_id, TokenState state,
                                   std::function<void()> stored) {
  thread_check_.check();
  Session* session = registry_.find(token);
  if (session == nullptr) return stored();
  session->token_state = state;
  session->call_ids.push_back(call_id);
  store_.commit(Transaction().save(*session), Urgency::kMustLast,
                [stored = std::move(stored)](bool) { stored(); });
}

void SessionController::set_token_state(const std::string& token, TokenState state) {
  thread_check_.check();
  Session* session = registry_.find(token);
  if (session == nullptr) return;
  session->token_state = state;
  store_.commit(Transaction().save(*session), Urgency::kMustLast);
}

void SessionController::set_status(const std::string& token, Status status) {
  thread_check_.check();
  Session* session = registry_.find(token);
  if (session == nullptr || session->status == status) return;
  session->status = status;
  if (!session->call_start) session->call_start = wall_now();
  if (status == Status::kConnected) session->call_answer = wall_now();
  touch(*session);
}

void SessionController::set_last_error(const std::string& token, std::string error) {
  thread_check_.check();
  if (Session* session = registry_.find(token)) session->last_error = std::move(error);
}

void SessionController::add_call_id(const std::string& token, const std::string& call_id) {
  thread_check_.check();
  if (Session* session = registry_.find(token)) session->call_ids.push_back(call_id);
}

void SessionController::consume(const std::string& token) {
  thread_check_.check();
  set_token_state(token, TokenState::kUsed);
  registry_.wake(token, sessions::PollOutcome::kConnected);
}

void SessionController::end(std::string token, const std::string& disposition, const std::string& reason,
                            std::function<void()> stored) {
  thread_check_.check();
  Session* session = registry_.find(token);
  if (session == nullptr) {
    if (stored) stored();
    return;
  }
  session->disposition = disposition;
  session->modified_at = wall_now();
  if (session->call_start) session->call_end = session->modified_at;
  std::function<void(bool)> done;
  if (stored) done = [stored = std::move(stored)](bool) { stored(); };
  commit(*session, kDeleted, reason, std::move(done));
  registry_.remove(token);
}

void SessionController::adopt_replica(Session session) {
  thread_check_.check();
  replicas_[session.id] = session.token;
  registry_.replace(std::move(session));
}

void SessionController::drop_replica(std::int64_t id) {
  thread_check_.check();
  const auto found = replicas_.find(id);
  if (found == replicas_.end()) return;
  registry_.remove(found->second);
  replicas_.erase(found);
}

void SessionController::replace_replicas(std::vector<Session> sessions) {
  thread_check_.check();
  std::set<std::int64_t> there;
  for (const Session& session : sessions) there.insert(session.id);
  std::vector<std::int64_t> gone;
  for (const auto& [id, token] : replicas_) {
    if (!there.contains(id)) gone.push_back(id);
  }
  for (const std::int64_t id : gone) drop_replica(id);
  for (Session& session : sessions) adopt_replica(std::move(session));
}

// Sessions that nobody dialled within their domain's session-ttl.
void SessionController::sweep() {
  thread_check_.check();
  registry_.forget_old_keys(wall_now());
  for (const std::string& token : registry_.pop_expired(steady_wall_now())) {
    if (!is_elsewhere(*registry_.find(token))) end(token, "EXPIRED", "expired");
  }
  sweep_timer_.expires_after(kSweep);
  sweep_timer_.async_wait([this](boost::system::error_code failure) {
    if (!failure) sweep();
  });
}

}  // namespace vas::control
