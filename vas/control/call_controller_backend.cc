// Asks the control endpoint, or the call routing application, what shall become of a call.
#include <boost/json.hpp>
#include <utility>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "vas/calls/call_instructions.h"
#include "vas/control/call_controller.h"

namespace vas::control {
namespace {

using sessions::Session;
using sessions::TokenState;

constexpr int kBackendTries = 4;  // the first and three more
// Doubled each time, and all tries within `control-endpoint-timeout`.
constexpr auto kBackendBackoff = std::chrono::milliseconds(500);

calls::BackendOutcome outcome_of(int status) {
  if (status / 100 == 2) return calls::BackendOutcome::kPark;
  if (status == 404) return calls::BackendOutcome::kNotFound;
  if (status == 0 || status / 100 == 5) return calls::BackendOutcome::kUnreachable;
  return calls::BackendOutcome::kForbidden;
}

}  // namespace

void CallController::notify_backend(Entry& entry) {
  const Session* session = parts_.sessions.find(entry.token);
  const auto* subscriber = parts_.directory.subscriber(entry.subscriber_id);
  const auto* domain = session != nullptr ? parts_.directory.domain(session->domain_id) : nullptr;
  if (session == nullptr || subscriber == nullptr || domain == nullptr) return;
  boost::json::object body{{"dnid", entry.dnid},
                           {"caller-id", session->caller_id},
                           {"session", session->token},
                           {"subscriber", boost::json::parse(to_json(directory::Entry(*subscriber)))},
                           {"domain-id", domain->id},
                           {"domain", domain->name},
                           {"endpoint", config_.public_url}};
  ++entry.backend_tries;
  const directory::DomainProfile& profile = domain->profile;
  const directory::Caps* caps = parts_.directory.caps_of_tenant(domain->tenant_id);
  parts_.webhooks.post(
      {.url = entry.asks_application ? profile.routing_application : profile.control_endpoint,
       .body = to_text(body),
       .id = std::to_string(session->id) + "-notification",
       .secrets = profile.webhook_secrets,
       .timestamp = wall_now(),
       .wants_body = entry.asks_application,
       .domain_id = domain->id,
       .most_of_domain = static_cast<std::size_t>(profile.caps.webhooks),
       .tenant_id = domain->tenant_id,
       .most_of_tenant = caps != nullptr ? static_cast<std::size_t>(caps->webhooks) : 0},
      [this, id = entry.call->id()](const webhooks::Reply& reply) { on_backend_replied(id, reply); });
}

// What an application asks for; of a control endpoint its code alone counts.
calls::BackendReplied CallController::instructions_of(Entry& entry, const webhooks::Reply& reply) {
  const calls::BackendOutcome outcome = outcome_of(reply.status);
  if (!entry.asks_application || outcome != calls::BackendOutcome::kPark) return {.outcome = outcome};
  auto instructions = calls::parse_call_instructions(reply.body);
  std::string fault = instructions ? "" : instructions.error();
  if (instructions && !instructions->session.empty() && !park_under(entry, instructions->session))
    fault = "`session` is no fresh token of an incoming session of the called subscriber";
  if (fault.empty()) {
    routing::adopt_rules_of_trunks(parts_.directory, entry.call->record().domain_id.value_or(0),
                                   instructions->what.plan);
    return std::move(instructions->what);
  }
  log::warn(entry.token, "the call routing application's answer cannot be followed: {}", fault);
  parts_.sessions.set_last_error(entry.token, "call-routing-application: " + fault);
  return {.outcome = calls::BackendOutcome::kForbidden};
}

// The application made a session of its own for the call: that takes the place of ours.
bool CallController::park_under(Entry& entry, const std::string& token) {
  if (token == entry.token) return true;
  const Session* session = parts_.sessions.find(token);
  const bool is_fresh = session != nullptr && session->direction == sessions::Direction::kIncoming &&
                        session->subscriber_id == entry.subscriber_id &&
                        session->token_state == TokenState::kFree && session->call_ids.empty();
  if (!is_fresh) return false;
  const std::uint64_t id = entry.call->id();
  calls_by_token_.erase(entry.token);
  parts_.sessions.end(entry.token, "CANCELLED", "replaced-by-application");
  entry.token = token;
  calls_by_token_[token] = id;
  records::CallRecord& record = entry.call->record();
  record.session = token;
  parts_.sessions.admit_call(token, record.call_ids.front(), TokenState::kFree, [] {});
  parts_.journal.update(record);
  deliver(id, calls::TimeLimitChanged{session->time_limit_s});
  if (const auto* domain = parts_.directory.domain(session->domain_id))
    deliver(id, calls::CallTimeoutChanged{call_timeout_of(*session, *domain)});
  return true;
}

void CallController::on_backend_replied(std::uint64_t call, const webhooks::Reply& reply) {
  const auto found = entries_.find(call);
  if (found == entries_.end() || found->second.call->is_ended()) return;
  Entry& entry = found->second;
  const char* who = entry.asks_application ? "call routing application" : "control endpoint";
  log::info(entry.token, "the {} answered {} {}", who, reply.status, reply.error);
  if (reply.status / 100 != 2)
    parts_.sessions.set_last_error(entry.token, std::string(who) + ": " + reply.error);
  const bool is_final = outcome_of(reply.status) != calls::BackendOutcome::kUnreachable || reply.is_refused ||
                        entry.backend_tries >= kBackendTries;
  if (is_final) return deliver(call, instructions_of(entry, reply));
  entry.backend_timer = std::make_unique<boost::asio::steady_timer>(
      parts_.context, kBackendBackoff * (1 << (entry.backend_tries - 1)));
  entry.backend_timer->async_wait([this, call](boost::system::error_code failure) {
    const auto waiting = entries_.find(call);
    if (!failure && waiting != entries_.end() && !waiting->second.call->is_ended())
      notify_backend(waiting->second);
  });
}

}  // namespace vas::control
