#include "vas/app/session_desk.h"

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

constexpr std::size_t kTokenBytes = 16;  // 128 bits: 32 hex digits
constexpr auto kSweep = std::chrono::seconds(1);
constexpr int kMaxTries = 8;
constexpr std::size_t kMaxWaitingCallbacks = 64;  // of one session; the oldest goes

}  // namespace

SessionDesk::SessionDesk(boost::asio::io_context& context, const directory::Directory& directory,
                         store::Store& store, webhooks::WebhookClient& webhooks, std::string node)
    : context_(context),
      directory_(directory),
      store_(store),
      webhooks_(webhooks),
      node_(std::move(node)),
      sweep_timer_(context) {
  sweep();
}

void SessionDesk::restore(std::vector<Session> sessions) {
  for (Session& session : sessions) {
    const bool lives_on =
        session.token_state == TokenState::kFree && directory_.domain(session.domain_id) != nullptr;
    if (!lives_on) {
      store_.remove(session.token);
      continue;
    }
    registry_.add(std::move(session));
  }
}

Session SessionDesk::blank(const directory::Domain& domain, const directory::Subscriber& subscriber,
                           Direction direction) {
  const WallTime now = wall_now();
  return {.id = registry_.next_id(),
          .token = random_hex(kTokenBytes),
          .domain_id = domain.id,
          .domain = domain.name,
          .subscriber_id = subscriber.id,
          .msisdn = subscriber.msisdn,
          .direction = direction,
          .created_at = now,
          .modified_at = now,
          .node = node_};
}

std::optional<std::string> SessionDesk::create(const api::NewSession& request,
                                               std::function<void(const Session*)> done) {
  Session session = blank(*request.domain, *request.subscriber, request.direction);
  session.remote = request.remote;
  session.caller_id = request.caller_id;
  session.time_limit_s = request.time_limit_s;
  session.callback = request.callback;
  if (!request.routing_json.empty()) {
    const auto normalized = calls::normalize_routing_plan(request.routing_json);
    if (!normalized) return normalized.error();
    session.routing_json = *normalized;
  }
  const std::string token = session.token;
  const Session* added = registry_.add(std::move(session));
  if (added == nullptr) {
    done(nullptr);
    return {};
  }
  store_.save(*added, [this, token, done = std::move(done)](bool committed) {
    if (!committed) registry_.remove(token);
    done(registry_.find(token));
  });
  return {};
}

Session* SessionDesk::make_incoming(const directory::Domain& domain, const directory::Subscriber& subscriber,
                                    const std::string& origination, const std::string& caller_id) {
  Session session = blank(domain, subscriber, Direction::kIncoming);
  session.remote = origination;
  session.caller_id = caller_id;
  Session* added = registry_.add(std::move(session));
  if (added != nullptr) store_.save(*added);
  return added;
}

void SessionDesk::touch(Session& session) {
  session.modified_at = wall_now();
  store_.save(session);
  call_back(session, "updated", "");
}

void SessionDesk::set_token_state(const std::string& token, TokenState state) {
  Session* session = registry_.find(token);
  if (session == nullptr) return;
  session->token_state = state;
  store_.save(*session);
}

void SessionDesk::set_status(const std::string& token, Status status) {
  Session* session = registry_.find(token);
  if (session == nullptr || session->status == status) return;
  session->status = status;
  if (!session->call_start) session->call_start = wall_now();
  if (status == Status::kConnected) session->call_answer = wall_now();
  touch(*session);
}

void SessionDesk::add_call_id(const std::string& token, const std::string& call_id) {
  if (Session* session = registry_.find(token)) session->call_ids.push_back(call_id);
}

void SessionDesk::consume(const std::string& token) {
  set_token_state(token, TokenState::kUsed);
  registry_.wake(token, sessions::PollOutcome::kConnected);
}

void SessionDesk::end(std::string token, const std::string& disposition, const std::string& reason) {
  Session* session = registry_.find(token);
  if (session == nullptr) return;
  session->disposition = disposition;
  session->modified_at = wall_now();
  if (session->call_start) session->call_end = session->modified_at;
  call_back(*session, "deleted", reason);
  registry_.remove(token);
  store_.remove(token);
}

void SessionDesk::change(const std::string& token, const api::SessionChange& change,
                         std::function<void(const Session*)> done) {
  Session* session = registry_.find(token);
  if (session == nullptr) return done(nullptr);
  if (change.changes_time_limit) {
    session->time_limit_s = change.time_limit_s;
    if (calls_ != nullptr) calls_->change_time_limit(token, change.time_limit_s);
  }
  if (change.call_start && !session->call_start) session->call_start = change.call_start;
  session->modified_at = wall_now();
  call_back(*session, "updated", "");
  store_.save(*session, [this, token, done = std::move(done)](bool committed) {
    done(committed ? registry_.find(token) : nullptr);
  });
}

void SessionDesk::destroy(const std::string& token, const std::string& reason, std::function<void()> done) {
  const bool has_call = calls_ != nullptr && calls_->delete_call(token, reason);
  if (!has_call) end(token, "CANCELLED", reason.empty() ? "deleted" : reason);
  done();
}

// A poll alone makes no call: callStartTime stays unset.
void SessionDesk::mark_ringing(const std::string& token) {
  Session* session = registry_.find(token);
  if (session == nullptr || session->status != Status::kNew) return;
  session->status = Status::kRinging;
  touch(*session);
}

void SessionDesk::call_back(Session& session, std::string_view action, std::string_view reason) {
  if (session.callback.empty()) return;
  ++session.events_sent;
  const auto* domain = directory_.domain(session.domain_id);
  Outbox& outbox = outboxes_[session.token];
  outbox.requests.push_back({.url = session.callback,
                             .body = to_callback_json(session, action, reason),
                             .id = session.token + "-" + std::to_string(session.events_sent),
                             .secret = domain != nullptr ? domain->profile.webhook_secret : "",
                             .timestamp = wall_now()});
  if (outbox.requests.size() == 1) return send_next(session.token);
  if (outbox.requests.size() > kMaxWaitingCallbacks) outbox.requests.erase(outbox.requests.begin() + 1);
}

void SessionDesk::send_next(const std::string& token) {
  const auto outbox = outboxes_.find(token);
  if (outbox == outboxes_.end()) return;
  webhooks_.post(outbox->second.requests.front(),
                 [this, token](int status) { on_callback_answered(token, status); });
}

// At least once, in order: the next goes when this one was taken, or was tried often enough.
void SessionDesk::on_callback_answered(const std::string& token, int status) {
  const auto found = outboxes_.find(token);
  if (found == outboxes_.end()) return;
  Outbox& outbox = found->second;
  const bool is_done = status / 100 == 2 || ++outbox.tries >= kMaxTries;
  if (!is_done) {
    outbox.timer = std::make_unique<boost::asio::steady_timer>(
        context_, std::chrono::milliseconds(500) * (1 << outbox.tries));
    outbox.timer->async_wait([this, token](boost::system::error_code failure) {
      if (!failure) send_next(token);
    });
    return;
  }
  if (status / 100 != 2)
    log::warn(token, "a status callback was given up after {} tries, last answer {}", kMaxTries, status);
  outbox.requests.pop_front();
  outbox.tries = 0;
  if (outbox.requests.empty()) {
    outboxes_.erase(found);
    return;
  }
  send_next(token);
}

// Sessions that nobody dialled within their domain's session-ttl.
void SessionDesk::sweep() {
  const auto ttl = [this](const Session& session) {
    const auto* domain = directory_.domain(session.domain_id);
    return domain != nullptr ? domain->profile.session_ttl : Duration::zero();
  };
  for (const std::string& token : registry_.expired(wall_now(), ttl)) end(token, "EXPIRED", "expired");
  sweep_timer_.expires_after(kSweep);
  sweep_timer_.async_wait([this](boost::system::error_code failure) {
    if (!failure) sweep();
  });
}

}  // namespace vas::app
