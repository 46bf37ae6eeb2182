#include "vas/app/session_desk.h"

#include <set>

#include "vas/base/clock.h"
#include "vas/base/log.h"
#include "vas/base/random.h"
#include "vas/calls/routing_plan.h"

namespace vas::app {
namespace {

using sessions::Direction;
using sessions::Session;
using sessions::Status;
using sessions::TokenState;
using store::Transaction;
using store::Urgency;

constexpr std::size_t kTokenBytes = 16;           // 128 bits: 32 hex digits
constexpr int kRetryAfterS = 5;                   // of who has used up a share: sessions end all the time
constexpr auto kSweep = std::chrono::seconds(1);  // how often sessions that nobody has dialled are looked for
constexpr std::string_view kUpdated = "updated";
constexpr std::string_view kDeleted = "deleted";

// An empty one is none.
std::optional<std::string> fault_of_callback(const DirectoryDesk& directory, const std::string& url) {
  return url.empty() ? std::nullopt : directory.fault_of_url(url);
}

}  // namespace

Duration call_timeout_of(const Session& session, const directory::Domain& domain) {
  return session.call_timeout_s ? std::chrono::seconds(*session.call_timeout_s) : domain.profile.call_timeout;
}

SessionDesk::SessionDesk(boost::asio::io_context& context, const DirectoryDesk& directory,
                         store::Store& store, CallbackDesk& callbacks, std::string node,
                         sessions::TokenIndex& tokens)
    : directory_(directory),
      store_(store),
      callbacks_(callbacks),
      node_(std::move(node)),
      registry_(&tokens),
      sweep_timer_(context) {
  sweep();
}

void SessionDesk::restore(std::vector<Session> sessions, const std::set<std::string>& tokens_of_calls) {
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

Session SessionDesk::blank(const directory::Domain& domain, const directory::Subscriber& subscriber,
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

sessions::SessionRegistry::Use SessionDesk::use_of_tenant(std::int64_t tenant_id) const {
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
std::optional<std::string> SessionDesk::full_share(const directory::Domain& domain, std::size_t sessions,
                                                   std::size_t bytes) const {
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

bool SessionDesk::has_room_for_poll(std::int64_t domain_id) const {
  const directory::Domain* domain = directory().domain(domain_id);
  if (domain == nullptr) return false;
  const auto most = static_cast<std::size_t>(domain->profile.caps.polls);
  if (registry_.use_of(domain_id).waiting >= most) return false;
  const directory::Tenant* tenant = directory().tenant(domain->tenant_id);
  const auto most_of_tenant = tenant != nullptr ? static_cast<std::size_t>(tenant->caps.polls) : most;
  return registry_.waiting() < most_of_tenant || use_of_tenant(domain->tenant_id).waiting < most_of_tenant;
}

std::optional<api::Refused> SessionDesk::create(const api::NewSession& request,
                                                std::function<void(const Session*)> done) {
  thread_check_.check();
  if (const auto* made = registry_.creation_keys().find(request.made_by.key, wall_now()))
    return repeat(*made, request.made_by.request, std::move(done));
  Session session = blank(*request.domain, *request.subscriber, request.direction);
  session.remote = request.remote;
  session.caller_id = request.caller_id;
  session.time_limit_s = request.time_limit_s;
  session.call_timeout_s = request.call_timeout_s;
  session.made_by = request.made_by;
  if (request.callback) {
    session.callback = *request.callback;
    if (const auto fault = fault_of_callback(directory_, session.callback))
      return api::Refused{400, "`callback` " + *fault + "."};
  }
  if (auto refused = take_routing(request.routing_json, session)) return refused;
  if (const auto full = full_share(*request.domain, 1, sessions::SessionRegistry::bytes_of(session))) {
    ++refused_;
    return api::Refused{429, *full + ". Delete some, or wait until they are over.", kRetryAfterS};
  }
  const std::string token = session.token;
  const Session* added = registry_.add(std::move(session));
  if (added == nullptr) {
    done(nullptr);
    return {};
  }
  store_.commit(Transaction().save(*added), Urgency::kMayFail,
                [this, token, done = std::move(done)](bool committed) {
                  if (!committed) registry_.take_back(token);
                  created_ += committed ? 1 : 0;
                  done(registry_.find(token));
                });
  return {};
}

// The same request once more: answered when what it made the first time would survive a crash.
std::optional<api::Refused> SessionDesk::repeat(const sessions::CreationKeys::Made& made,
                                                const std::string& request,
                                                std::function<void(const Session*)> done) {
  if (made.request != request)
    return api::Refused{422,
                        "This `Idempotency-Key` came with another request before. Use a new one for each."};
  if (made.token.empty())
    return api::Refused{409,
                        "The session that this `Idempotency-Key` made is over. A new one needs a new key."};
  store_.commit(Transaction(), Urgency::kMayFail,
                [this, token = made.token, done = std::move(done)](bool committed) {
                  done(committed ? registry_.find(token) : nullptr);
                });
  return {};
}

std::optional<api::Refused> SessionDesk::take_routing(const std::string& json, Session& session) const {
  if (json.empty()) return {};
  const auto normalized = calls::normalize_routing_plan(json);
  if (!normalized) return api::Refused{400, "`" + normalized.error() + "`."};
  const auto plan = calls::parse_routing_plan(*normalized);
  for (std::size_t i = 0; plan && i < plan->routes.size(); ++i) {
    if (const auto fault = directory_.fault_of_server(to_string(plan->routes[i].server), false))
      return api::Refused{400, "`routing.routes[" + std::to_string(i) + "].termination_ip` " + *fault + "."};
  }
  session.routing_json = *normalized;
  return {};
}

// Stored when its call is admitted.
Session* SessionDesk::make_incoming(const directory::Domain& domain, const directory::Subscriber& subscriber,
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

void SessionDesk::commit(Session& session, std::string_view action, std::string_view reason,
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

void SessionDesk::touch(Session& session) {
  session.modified_at = wall_now();
  commit(session, kUpdated, "");
}

void SessionDesk::admit_call(const std::string& token, const std::string& call_id, TokenState state,
                             std::function<void()> stored) {
  thread_check_.check();
  Session* session = registry_.find(token);
  if (session == nullptr) return stored();
  session->token_state = state;
  session->call_ids.push_back(call_id);
  store_.commit(Transaction().save(*session), Urgency::kMustLast,
                [stored = std::move(stored)](bool) { stored(); });
}

void SessionDesk::set_token_state(const std::string& token, TokenState state) {
  thread_check_.check();
  Session* session = registry_.find(token);
  if (session == nullptr) return;
  session->token_state = state;
  store_.commit(Transaction().save(*session), Urgency::kMustLast);
}

void SessionDesk::set_status(const std::string& token, Status status) {
  thread_check_.check();
  Session* session = registry_.find(token);
  if (session == nullptr || session->status == status) return;
  session->status = status;
  if (!session->call_start) session->call_start = wall_now();
  if (status == Status::kConnected) session->call_answer = wall_now();
  touch(*session);
}

void SessionDesk::set_last_error(const std::string& token, std::string error) {
  thread_check_.check();
  if (Session* session = registry_.find(token)) session->last_error = std::move(error);
}

void SessionDesk::add_call_id(const std::string& token, const std::string& call_id) {
  thread_check_.check();
  if (Session* session = registry_.find(token)) session->call_ids.push_back(call_id);
}

void SessionDesk::consume(const std::string& token) {
  thread_check_.check();
  set_token_state(token, TokenState::kUsed);
  registry_.wake(token, sessions::PollOutcome::kConnected);
}

void SessionDesk::end(std::string token, const std::string& disposition, const std::string& reason,
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

void SessionDesk::take_replica(Session session) {
  thread_check_.check();
  replicas_[session.id] = session.token;
  registry_.replace(std::move(session));
}

void SessionDesk::drop_replica(std::int64_t id) {
  thread_check_.check();
  const auto found = replicas_.find(id);
  if (found == replicas_.end()) return;
  registry_.remove(found->second);
  replicas_.erase(found);
}

void SessionDesk::replace_replicas(std::vector<Session> sessions) {
  thread_check_.check();
  std::set<std::int64_t> there;
  for (const Session& session : sessions) there.insert(session.id);
  std::vector<std::int64_t> gone;
  for (const auto& [id, token] : replicas_) {
    if (!there.contains(id)) gone.push_back(id);
  }
  for (const std::int64_t id : gone) drop_replica(id);
  for (Session& session : sessions) take_replica(std::move(session));
}

std::optional<api::Refused> SessionDesk::check_callback(const Session& session,
                                                        const std::string& url) const {
  if (const auto fault = fault_of_callback(directory_, url))
    return api::Refused{400, "`callback` " + *fault + "."};
  const directory::Domain* domain = directory().domain(session.domain_id);
  if (domain == nullptr || url.size() <= session.callback.size()) return {};
  const auto full = full_share(*domain, 0, url.size() - session.callback.size());
  if (!full) return {};
  return api::Refused{429, *full + ". Delete some, or wait until they are over.", kRetryAfterS};
}

std::optional<api::Refused> SessionDesk::change(const std::string& token, const api::SessionChange& change,
                                                std::function<void(const Session*)> done) {
  thread_check_.check();
  Session* session = registry_.find(token);
  if (session == nullptr) {
    done(nullptr);
    return {};
  }
  if (change.callback) {
    if (auto refused = check_callback(*session, *change.callback)) return refused;
  }
  if (is_elsewhere(*session) && peers_ != nullptr) {
    peers_->ask(session->node, {PeerRequest::What::kChange, token, "", change},
                [this, token, done = std::move(done)] { done(registry_.find(token)); });
    return {};
  }
  if (change.callback) {
    session->callback = *change.callback;
    registry_.count_anew(token);
  }
  change_timers(*session, change);
  session = registry_.find(token);  // a limit that is over already ends the call
  if (session == nullptr) {
    done(nullptr);
    return {};
  }
  if (change.call_start && !session->call_start) session->call_start = change.call_start;
  session->modified_at = wall_now();
  // As it became, for the answer: the session may be over before it is stored.
  commit(*session, kUpdated, "", [changed = *session, done = std::move(done)](bool) { done(&changed); });
  return {};
}

// The session may be gone when it returns.
void SessionDesk::change_timers(Session& session, const api::SessionChange& change) {
  const std::string token = session.token;
  const directory::Domain* domain = directory().domain(session.domain_id);
  if (change.changes_time_limit) session.time_limit_s = change.time_limit_s;
  if (change.changes_call_timeout) session.call_timeout_s = change.call_timeout_s;
  if (calls_ == nullptr) return;
  if (change.changes_call_timeout && domain != nullptr)
    calls_->change_call_timeout(token, call_timeout_of(session, *domain));
  if (change.changes_time_limit) calls_->change_time_limit(token, change.time_limit_s);
}

void SessionDesk::destroy(const std::string& token, const std::string& reason, std::function<void()> done) {
  thread_check_.check();
  const Session* held = registry_.find(token);
  if (held != nullptr && is_elsewhere(*held) && peers_ != nullptr)
    return peers_->ask(held->node, {PeerRequest::What::kDestroy, token, reason, {}}, std::move(done));
  const bool has_call = calls_ != nullptr && calls_->delete_call(token, reason);
  if (!has_call) return end(token, "CANCELLED", reason.empty() ? "deleted" : reason, std::move(done));
  // The call has ended the session: what is committed after it is committed behind it.
  store_.commit(Transaction(), Urgency::kMustLast, [done = std::move(done)](bool) { done(); });
}

void SessionDesk::list(const sessions::SessionFilter& filter, const PageRequest& page,
                       std::function<void(std::optional<Page>)> done) {
  thread_check_.check();
  store_.queries().list_sessions(filter, page, std::move(done));
}

// A poll alone makes no call: callStartTime stays unset.
void SessionDesk::mark_ringing(const std::string& token) {
  thread_check_.check();
  Session* session = registry_.find(token);
  if (session == nullptr || session->status != Status::kNew) return;
  if (is_elsewhere(*session) && peers_ != nullptr)
    return peers_->ask(session->node, {PeerRequest::What::kRing, token, "", {}}, [] {});
  session->status = Status::kRinging;
  touch(*session);
}

// Sessions that nobody dialled within their domain's session-ttl.
void SessionDesk::sweep() {
  thread_check_.check();
  registry_.forget_old_keys(wall_now());
  for (const std::string& token : registry_.take_expired(steady_wall_now())) {
    if (!is_elsewhere(*registry_.find(token))) end(token, "EXPIRED", "expired");
  }
  sweep_timer_.expires_after(kSweep);
  sweep_timer_.async_wait([this](boost::system::error_code failure) {
    if (!failure) sweep();
  });
}

}  // namespace vas::app
