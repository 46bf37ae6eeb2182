// What the API asks of sessions: to make, change, end and list them.
#include "base/clock.h"
#include "vas/control/session_controller.h"
#include "vas/routing/routing_plan.h"

namespace vas::control {
namespace {

using sessions::Session;
using sessions::Status;
using store::Transaction;
using store::Urgency;

constexpr int kRetryAfterS = 5;  // of who has used up a share: sessions end all the time

// An empty one is none.
std::optional<std::string> fault_of_callback(const DirectoryController& directory, const std::string& url) {
  return url.empty() ? std::nullopt : directory.fault_of_url(url);
}

}  // namespace

std::optional<api::Refused> SessionController::create(const api::NewSession& request,
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
  if (auto refused = parse_routing(request.routing_json, session)) return refused;
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
                  if (!committed) registry_.revoke(token);
                  created_ += committed ? 1 : 0;
                  done(registry_.find(token));
                });
  return {};
}

// The same request once more: replied to when what it made the first time would survive a crash.
std::optional<api::Refused> SessionController::repeat(const sessions::CreationKeys::Made& made,
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

std::optional<api::Refused> SessionController::parse_routing(const std::string& json,
                                                             Session& session) const {
  if (json.empty()) return {};
  const auto normalized = routing::normalize_routing_plan(json);
  if (!normalized) return api::Refused{400, "`" + normalized.error() + "`."};
  const auto plan = routing::parse_routing_plan(*normalized);
  for (std::size_t i = 0; plan && i < plan->routes.size(); ++i) {
    if (const auto fault = directory_.fault_of_server(to_string(plan->routes[i].server), false))
      return api::Refused{400, "`routing.routes[" + std::to_string(i) + "].termination_ip` " + *fault + "."};
  }
  session.routing_json = *normalized;
  return {};
}

std::optional<api::Refused> SessionController::check_callback(const Session& session,
                                                              const std::string& url) const {
  if (const auto fault = fault_of_callback(directory_, url))
    return api::Refused{400, "`callback` " + *fault + "."};
  const directory::Domain* domain = directory().domain(session.domain_id);
  if (domain == nullptr || url.size() <= session.callback.size()) return {};
  const auto full = full_share(*domain, 0, url.size() - session.callback.size());
  if (!full) return {};
  return api::Refused{429, *full + ". Delete some, or wait until they are over.", kRetryAfterS};
}

std::optional<api::Refused> SessionController::change(const std::string& token,
                                                      const api::SessionChange& change,
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
  // As it became, for the reply: the session may be over before it is stored.
  commit(*session, "updated", "", [changed = *session, done = std::move(done)](bool) { done(&changed); });
  return {};
}

// The session may be gone when it returns.
void SessionController::change_timers(Session& session, const api::SessionChange& change) {
  const std::string token = session.token;
  const directory::Domain* domain = directory().domain(session.domain_id);
  if (change.changes_time_limit) session.time_limit_s = change.time_limit_s;
  if (change.changes_call_timeout) session.call_timeout_s = change.call_timeout_s;
  if (calls_ == nullptr) return;
  if (change.changes_call_timeout && domain != nullptr)
    calls_->change_call_timeout(token, call_timeout_of(session, *domain));
  if (change.changes_time_limit) calls_->change_time_limit(token, change.time_limit_s);
}

void SessionController::destroy(const std::string& token, const std::string& reason,
                                std::function<void()> done) {
  thread_check_.check();
  const Session* held = registry_.find(token);
  if (held != nullptr && is_elsewhere(*held) && peers_ != nullptr)
    return peers_->ask(held->node, {PeerRequest::What::kDestroy, token, reason, {}}, std::move(done));
  const bool has_call = calls_ != nullptr && calls_->delete_call(token, reason);
  if (!has_call) return end(token, "CANCELLED", reason.empty() ? "deleted" : reason, std::move(done));
  // The call has ended the session: what is committed after it is committed behind it.
  store_.commit(Transaction(), Urgency::kMustLast, [done = std::move(done)](bool) { done(); });
}

void SessionController::list(const sessions::SessionFilter& filter, const PageRequest& page,
                             std::function<void(std::optional<Page>)> done) {
  thread_check_.check();
  store_.queries().list_sessions(filter, page, std::move(done));
}

// A poll alone makes no call: callStartTime stays unset.
void SessionController::mark_ringing(const std::string& token) {
  thread_check_.check();
  Session* session = registry_.find(token);
  if (session == nullptr || session->status != Status::kNew) return;
  if (is_elsewhere(*session) && peers_ != nullptr)
    return peers_->ask(session->node, {PeerRequest::What::kRing, token, "", {}}, [] {});
  session->status = Status::kRinging;
  touch(*session);
}

}  // namespace vas::control
