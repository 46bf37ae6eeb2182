#include "base/json.h"
#include "vas/api/destination.h"
#include "vas/api/resources.h"

namespace vas::api {
namespace {

namespace json = boost::json;
using sessions::Direction;
using sessions::PollOutcome;
using sessions::Session;
using sessions::Status;

// Of who finds no room to wait: some poll will have ended.
constexpr int kRetryPollAfterS = 5;
constexpr const char* kNoSession = "There is no such session: it may have ended or expired.";

HttpReply status_reply(Status status) {
  return {.body = "{\"status\":\"" + std::string(to_string(status)) + "\"}"};
}

// Nothing where the field is not there; null is as good as an empty text.
std::optional<std::string> given_text(const json::object& body, std::string_view name) {
  return body.contains(name) ? std::optional(text_field(body, name)) : std::nullopt;
}

// Whose key it is, and what was asked for: what makes it the same request.
sessions::CreationKey creation_key(const ApiCall& call, Direction direction,
                                   const directory::Subscriber& subscriber) {
  if (!call.idempotency_key) return {};
  const std::string request = std::string(to_string(direction)) + " " + std::to_string(subscriber.id) + " ";
  return {.key = directory::hash_of_key(std::to_string(call.key->id) + " " + *call.idempotency_key),
          .request = directory::hash_of_key(request + to_text(call.body))};
}

// The reply to a long poll. A 205 closes its connection: browsers read one as having no body.
HttpReply poll_reply(PollOutcome outcome) {
  switch (outcome) {
    case PollOutcome::kConnected: return status_reply(Status::kConnected);
    case PollOutcome::kGone: break;
  }
  return {.status = 205,
          .body = "{\"status\":\"disconnected\"}",
          .headers = {{"X-Session-Status", "disconnected"}},
          .closes = true};
}

// What /calls/{domain}/… does once a request was let in. It keeps nothing but the service. It decides what is
// wrong with a request beyond what the document can say: a subscriber who is not there, a destination that no
// network has. How sessions are stored, and what becomes of their calls, it need not know.
//
// Threads: control only. Lifetime: borrows the service.
class Sessions {
 public:
  explicit Sessions(SessionService& service) : service_(service) {}

  void create(ApiCall& call, Direction direction) const {
    const auto* subscriber = service_.directory().find_subscriber(call.domain->id, call.path("msisdn"));
    if (subscriber == nullptr) return call.fail(404, "The domain has no subscriber with this MSISDN.");
    if (!subscriber->active)
      return call.fail(409, "The subscriber is not active: nobody could dial with the token.");
    const json::value* routing = call.body.if_contains("routing");
    NewSession request{
        .domain = call.domain,
        .subscriber = subscriber,
        .direction = direction,
        .remote = text_field(call.body, direction == Direction::kOutgoing ? "destination" : "origination"),
        .caller_id = text_field(call.body, "callerId"),
        .time_limit_s = integer_field(call.body, "timeLimit"),
        .call_timeout_s = integer_field(call.body, "callTimeout"),
        .callback = given_text(call.body, "callback"),
        .routing_json = routing != nullptr && routing->is_object() ? to_text(*routing) : std::string(),
        .made_by = creation_key(call, direction, *subscriber)};
    if (auto fault = check_destination(request)) return call.fail(400, "`destination` " + *fault + ".");
    const auto wrong = service_.create(request, [responder = call.responder](const Session* session) {
      responder->send(session != nullptr
                          ? HttpReply{.body = to_json(*session)}
                          : problem(503, "The session could not be stored. Try again in a moment."));
    });
    if (wrong) call.responder->send(problem(*wrong));
  }

  void list(ApiCall& call) const {
    const sessions::SessionFilter filter{
        .domain_id = call.domain->id,
        .status = text_field(call.query, "status"),
        .direction = text_field(call.query, "direction"),
        .msisdn = std::string(directory::without_plus(text_field(call.query, "msisdn")))};
    std::string path = "/calls/" + call.domain->name + "/sessions?";
    for (const auto& [name, value] : call.query) {
      if (name == "after") continue;
      path += std::string(name) + "=" +
              (value.is_string() ? std::string(value.as_string()) : to_text(value)) + "&";
    }
    service_.list(filter, page_request(call), [responder = call.responder, path](std::optional<Page> page) {
      send_page(responder, path, std::move(page));
    });
  }

  void get(ApiCall& call, const Session* session) const {
    if (session == nullptr) return no_session(call);
    call.reply(200, to_json(*session));
  }

  // The token is a copy, here and in destroy: the session that holds it may be gone before the call returns.
  void patch(ApiCall& call, const Session* session) const {
    if (session == nullptr) return no_session(call);
    SessionChange change{.changes_time_limit = call.body.contains("timeLimit"),
                         .time_limit_s = integer_field(call.body, "timeLimit"),
                         .call_start = time_field(call.body, "callStartTime"),
                         .changes_call_timeout = call.body.contains("callTimeout"),
                         .call_timeout_s = integer_field(call.body, "callTimeout"),
                         .callback = given_text(call.body, "callback")};
    if (change.changes_call_timeout && session->direction != Direction::kIncoming)
      return call.fail(400,
                       "`callTimeout` is for incoming sessions: how long the caller waits to be picked up.");
    const std::string token = session->token;
    const auto wrong = service_.change(token, change, [responder = call.responder](const Session* changed) {
      responder->send(changed != nullptr ? HttpReply{.body = to_json(*changed)} : problem(404, kNoSession));
    });
    if (wrong) call.responder->send(problem(*wrong));
  }

  void destroy(ApiCall& call) const {
    const Session* session = find(call);
    if (session == nullptr) return no_session(call);
    const std::string token = session->token;
    service_.destroy(token, text_field(call.query, "reason"),
                     [responder = call.responder] { responder->send({.status = 204}); });
  }

  // Unprivileged: who knows the token and the number may wait.
  // All five conditions, or 403 that tells nothing.
  void poll_ringing(ApiCall& call) const {
    const Session* session = call.domain == nullptr ? nullptr : find(call, Direction::kIncoming);
    const auto* subscriber =
        session == nullptr ? nullptr : service_.directory().subscriber(session->subscriber_id);
    const bool may_wait = subscriber != nullptr && subscriber->active &&
                          (session->status == Status::kNew || session->status == Status::kRinging);
    if (!may_wait) return call.fail(403, "No call is waiting for this subscriber under this token.");

    auto& registry = service_.registry();
    const std::string token = session->token;
    if (!service_.has_room_for_poll(call.domain->id))
      return call.responder->send(problem(
          Refused{429, "As many polls of this domain wait as it may have (`max-polls`).", kRetryPollAfterS}));
    const auto ticket = registry.wait(
        token, [responder = call.responder](PollOutcome outcome) { responder->send(poll_reply(outcome)); });
    if (!ticket)
      return call.responder->send(
          problem(Refused{429, "Too many polls wait on this session.", kRetryPollAfterS}));
    call.responder->watch_client([&registry, token, ticket] { registry.leave(token, *ticket); });
    service_.mark_ringing(token);
  }

  const Session* find(const ApiCall& call) const {
    const Session* session = service_.registry().find(call.path("token"));
    return session != nullptr && session->domain_id == call.domain->id ? session : nullptr;
  }
  const Session* find(const ApiCall& call, Direction direction) const {
    const Session* session = find(call);
    const bool matches = session != nullptr && session->direction == direction &&
                         session->msisdn == directory::without_plus(call.path("msisdn"));
    return matches ? session : nullptr;
  }

 private:
  // A number that goes to a network must be one that a network could have.
  // With a routing plan it goes to none.
  std::optional<std::string> check_destination(NewSession& request) const {
    const bool is_dialled = request.direction == Direction::kOutgoing && request.routing_json.empty();
    if (!is_dialled || service_.directory().find_subscriber(request.domain->id, request.remote) != nullptr)
      return {};
    auto destination = parse_destination(request.remote);
    if (!destination) return destination.error();
    request.remote = std::move(*destination);
    return {};
  }

  static void no_session(const ApiCall& call) { call.fail(404, kNoSession); }

  SessionService& service_;
};

}  // namespace

void add_session_operations(Operations& operations, SessionService& service) {
  const Sessions all(service);
  operations["createOutgoingSession"] = [all](ApiCall& call) { all.create(call, Direction::kOutgoing); };
  operations["createIncomingSession"] = [all](ApiCall& call) { all.create(call, Direction::kIncoming); };
  operations["listSessions"] = [all](ApiCall& call) { all.list(call); };
  operations["getSession"] = [all](ApiCall& call) { all.get(call, all.find(call)); };
  operations["updateSession"] = [all](ApiCall& call) { all.patch(call, all.find(call)); };
  operations["deleteSession"] = [all](ApiCall& call) { all.destroy(call); };
  operations["pollRinging"] = [all](ApiCall& call) { all.poll_ringing(call); };
  for (const Direction direction : {Direction::kOutgoing, Direction::kIncoming}) {
    const std::string name = direction == Direction::kOutgoing ? "OutgoingSession" : "IncomingSession";
    operations["get" + name] = [all, direction](ApiCall& call) { all.get(call, all.find(call, direction)); };
    operations["update" + name] = [all, direction](ApiCall& call) {
      all.patch(call, all.find(call, direction));
    };
  }
}

}  // namespace vas::api
