#include "vas/api/session_resource.h"

#include "vas/api/json_body.h"
#include "vas/api/problem.h"
#include "vas/base/text.h"

namespace vas::api {
namespace {

using sessions::Direction;
using sessions::PollOutcome;
using sessions::Session;
using sessions::Status;

constexpr std::int64_t kMaxTimeLimit = 86400;
constexpr std::int64_t kMaxEpochMs = 4'102'444'800'000;  // the year 2100

HttpResponse not_allowed(const std::string& allow) {
  HttpResponse response = problem(405, "This resource answers " + allow + " only.");
  response.headers.emplace_back("Allow", allow);
  return response;
}

HttpResponse session_response(const Session* session) {
  if (session == nullptr) return problem(503, "The session could not be stored. Try again in a moment.");
  return {.body = to_json(*session)};
}

HttpResponse status_response(Status status) {
  return {.body = "{\"status\":\"" + std::string(to_string(status)) + "\"}"};
}

// The answer of a long poll. A 205 closes its connection: browsers read one as having no body.
HttpResponse poll_response(PollOutcome outcome) {
  switch (outcome) {
    case PollOutcome::kConnected: return status_response(Status::kConnected);
    case PollOutcome::kGone: break;
  }
  return {.status = 205,
          .body = "{\"status\":\"disconnected\"}",
          .headers = {{"X-Session-Status", "disconnected"}},
          .closes = true};
}

bool is_callback_url(std::string_view url) {
  return url.empty() || url.starts_with("http://") || url.starts_with("https://");
}

}  // namespace

// One resource a case: /<domain>/{outgoing,incoming}/<msisdn>[/<token>], /sessions[/<token>],
// /ringing/<msisdn>/<token>.
void SessionResource::handle(const HttpRequest& request, const std::vector<std::string>& path,
                             const std::shared_ptr<Responder>& responder) {
  Call call{request, path, responder, path.empty() ? nullptr : service_.directory().find_domain(path[0])};
  const std::string kind = path.size() > 1 ? path[1] : "";
  const bool is_directed = kind == "outgoing" || kind == "incoming";
  const Direction direction = kind == "incoming" ? Direction::kIncoming : Direction::kOutgoing;

  if (kind == "ringing" && path.size() == 4) return poll_ringing(call);
  if (is_directed && path.size() == 3) return create(call, direction);
  if (kind == "sessions" && path.size() == 2) return list(call);
  if (kind == "sessions" && path.size() == 3) {
    if (authorize(call, true)) handle_session(call, find(call, path[2]));
    return;
  }
  if (is_directed && path.size() == 4) {
    if (authorize(call, true)) handle_session(call, find(call, direction, path[2], path[3]));
    return;
  }
  responder->send(problem(404, "There is no such resource. docs/api.md lists them."));
}

bool SessionResource::authorize(Call& call, bool applications_too) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string& header = call.request.authorization;
  const bool is_bearer = starts_with_ignoring_case(header, kScheme);
  const auto* key =
      is_bearer ? service_.directory().authenticate(trim(std::string_view(header).substr(kScheme.size())))
                : nullptr;
  if (key == nullptr) {
    call.responder->send(problem(401, "Send `Authorization: Bearer KEY` with a key that exists."));
    return false;
  }
  if (call.domain == nullptr) {
    // Only who may see every domain learns that one does not exist.
    const bool may_know = key->scope == directory::KeyScope::kSystem;
    call.responder->send(may_know ? problem(404, "There is no such domain.")
                                  : problem(401, "This key has no authority over the domain."));
    return false;
  }
  if (!service_.directory().is_authorized(*key, *call.domain, applications_too)) {
    call.responder->send(problem(401, "This key has no authority over the domain, or not for this call."));
    return false;
  }
  return true;
}

void SessionResource::create(Call& call, Direction direction) {
  if (call.request.method != "POST") return call.responder->send(not_allowed("POST"));
  if (!authorize(call, direction == Direction::kIncoming)) return;
  if (service_.is_draining())
    return call.responder->send(problem(503, "This node is shutting down. Use another one."));
  const auto* subscriber = service_.directory().find_subscriber(call.domain->id, call.path[2]);
  if (subscriber == nullptr)
    return call.responder->send(problem(404, "The domain has no subscriber with this MSISDN."));

  JsonBody body(call.request);
  NewSession request{.domain = call.domain, .subscriber = subscriber, .direction = direction};
  if (direction == Direction::kOutgoing) {
    request.remote = body.text("destination", true);
    request.routing_json = body.object_text("routing");
  } else {
    request.remote = body.text("origination", true);
  }
  request.caller_id = body.text("callerId");
  request.time_limit_s = body.integer("timeLimit", 1, kMaxTimeLimit);
  request.callback = body.text("callback");
  body.refuse_other_fields();
  if (body.error()) return call.responder->send(problem(body.error_status(), *body.error()));
  if (!is_callback_url(request.callback))
    return call.responder->send(problem(400, "`callback` must be an http or https URL."));

  const auto wrong = service_.create(request, [responder = call.responder](const Session* session) {
    responder->send(session_response(session));
  });
  if (wrong) call.responder->send(problem(400, "`" + *wrong + "`."));
}

void SessionResource::list(Call& call) {
  if (call.request.method != "GET") return call.responder->send(not_allowed("GET"));
  if (!authorize(call, true)) return;
  std::string body = "[";
  for (const Session* session : service_.registry().of_domain(call.domain->id)) {
    if (body.size() > 1) body += ",";
    body += to_json(*session, false);
  }
  call.responder->send({.body = body + "]"});
}

const Session* SessionResource::find(const Call& call, const std::string& token) const {
  const Session* session = service_.registry().find(token);
  return session != nullptr && session->domain_id == call.domain->id ? session : nullptr;
}

const Session* SessionResource::find(const Call& call, Direction direction, const std::string& msisdn,
                                     const std::string& token) const {
  const Session* session = find(call, token);
  const bool matches = session != nullptr && session->direction == direction &&
                       session->msisdn == directory::without_plus(msisdn);
  return matches ? session : nullptr;
}

void SessionResource::handle_session(Call& call, const Session* session) {
  const std::string& method = call.request.method;
  const bool may_delete = call.path[1] == "sessions";
  if (method != "GET" && method != "PATCH" && !(method == "DELETE" && may_delete)) {
    return call.responder->send(not_allowed(may_delete ? "GET, PATCH, DELETE" : "GET, PATCH"));
  }
  if (session == nullptr)
    return call.responder->send(problem(404, "There is no such session: it may have ended or expired."));
  if (method == "GET") return call.responder->send(session_response(session));
  if (method == "PATCH") return patch(call, session->token);
  destroy(call, session->token);
}

// The token is a copy, here and in destroy: the session that holds it may be gone before the call returns.
void SessionResource::patch(Call& call, std::string token) {
  JsonBody body(call.request);
  SessionChange change;
  change.time_limit_s = body.integer("timeLimit", 1, kMaxTimeLimit, &change.changes_time_limit);
  if (const auto start = body.integer("callStartTime", 1, kMaxEpochMs))
    change.call_start = WallTime(std::chrono::milliseconds(*start));
  body.refuse_other_fields();
  if (body.error()) return call.responder->send(problem(body.error_status(), *body.error()));
  service_.change(token, change, [responder = call.responder](const Session* session) {
    responder->send(session_response(session));
  });
}

void SessionResource::destroy(Call& call, std::string token) {
  std::string reason;
  for (const std::string_view each : split(call.request.query, '&')) {
    if (each.empty()) continue;
    if (!each.starts_with("reason="))
      return call.responder->send(problem(400, "The only query parameter is `reason`."));
    reason = each.substr(7);
  }
  const bool is_known = reason.empty() || reason == "timeout" || reason == "denied" || reason == "busy" ||
                        reason == "nocredit" || reason == "rejected";
  if (!is_known)
    return call.responder->send(
        problem(400, "`reason` must be timeout, denied, busy, nocredit or rejected."));
  service_.destroy(token, reason, [responder = call.responder] { responder->send({.status = 204}); });
}

// Unprivileged: who knows the token and the number may wait. All five conditions, or 403 that tells nothing.
void SessionResource::poll_ringing(Call& call) {
  if (call.request.method != "GET") return call.responder->send(not_allowed("GET"));
  const std::string token = call.path[3];
  const Session* session =
      call.domain == nullptr ? nullptr : find(call, Direction::kIncoming, call.path[2], token);
  const auto* subscriber =
      session == nullptr ? nullptr : service_.directory().subscriber(session->subscriber_id);
  const bool may_wait = subscriber != nullptr && subscriber->active &&
                        (session->status == Status::kNew || session->status == Status::kRinging);
  if (!may_wait)
    return call.responder->send(problem(403, "No call is waiting for this subscriber under this token."));

  auto& registry = service_.registry();
  const auto ticket = registry.wait(
      token, [responder = call.responder](PollOutcome outcome) { responder->send(poll_response(outcome)); });
  if (!ticket) {
    HttpResponse response = problem(429, "Too many polls wait on this session.");
    response.headers.emplace_back("Retry-After", "5");
    return call.responder->send(std::move(response));
  }
  call.responder->watch_client([&registry, token, ticket] { registry.leave(token, *ticket); });
  service_.mark_ringing(token);
}

}  // namespace vas::api
