#include "vas/sessions/session.h"

#include <boost/json.hpp>

#include "base/clock.h"
#include "base/json.h"

namespace vas::sessions {
namespace {

namespace json = boost::json;

json::value rfc3339(const std::optional<WallTime>& time) {
  return time ? json::value(to_rfc3339(*time)) : json::value(nullptr);
}

json::value routing_value(const Session& session) {
  boost::system::error_code failure;
  json::value value = json::parse(session.routing_json, failure);
  return failure ? json::value(nullptr) : value;
}

json::object object_of(const Session& session, bool with_routing) {
  const bool is_outgoing = session.direction == Direction::kOutgoing;
  json::object object{{"id", session.id},
                      {"domainId", session.domain_id},
                      {"domain", session.domain},
                      {"subscriberId", session.subscriber_id},
                      {is_outgoing ? "destination" : "origination", session.remote},
                      {"remote", session.remote},
                      {"callerId", or_null(session.caller_id)},
                      {"direction", to_string(session.direction)},
                      {"token", session.token},
                      {"status", to_string(session.status)},
                      {"timeLimit", or_null(session.time_limit_s)},
                      {"callTimeout", or_null(session.call_timeout_s)},
                      {"createdAt", session.created_at.time_since_epoch().count()},
                      {"modifiedAt", session.modified_at.time_since_epoch().count()},
                      {"callStartTime", or_null(session.call_start)},
                      {"callAnswerTime", or_null(session.call_answer)},
                      {"callEndTime", or_null(session.call_end)},
                      {"startTime", rfc3339(session.call_start)},
                      {"answerTime", rfc3339(session.call_answer)},
                      {"endTime", rfc3339(session.call_end)},
                      {"callback", or_null(session.callback)},
                      {"callIds", json::array(session.call_ids.begin(), session.call_ids.end())},
                      {"node", or_null(session.node)},
                      {"lastError", or_null(session.last_error)}};
  if (!session.disposition.empty()) object["disposition"] = session.disposition;
  if (with_routing && !session.routing_json.empty()) object["routing"] = routing_value(session);
  return object;
}

Status status_by_name(std::string_view name) {
  for (const Status each : {Status::kProcessing, Status::kRinging, Status::kConnected}) {
    if (name == to_string(each)) return each;
  }
  return Status::kNew;
}

}  // namespace

std::string_view to_string(Direction direction) {
  switch (direction) {
    case Direction::kOutgoing: return "outgoing";
    case Direction::kIncoming: return "incoming";
  }
  return "?";
}

std::string_view to_string(Status status) {
  switch (status) {
    case Status::kNew: return "new";
    case Status::kProcessing: return "processing";
    case Status::kRinging: return "ringing";
    case Status::kConnected: return "connected";
  }
  return "?";
}

std::string to_json(const Session& session, bool with_routing) {
  return to_text(object_of(session, with_routing));
}

std::string event_id(const Session& session) {
  return std::to_string(session.id) + "-" + std::to_string(session.events_sent);
}

std::string to_callback_json(const Session& session, std::string_view action, std::string_view reason) {
  json::object object = object_of(session, true);
  object["eventId"] = event_id(session);
  object["action"] = action;
  if (!reason.empty()) object["reason"] = reason;
  return to_text(object);
}

std::string to_store_json(const Session& session) {
  json::object object = object_of(session, true);
  object["msisdn"] = session.msisdn;
  object["tokenFree"] = session.token_state == TokenState::kFree;
  object["eventsSent"] = session.events_sent;
  object["expiresAt"] = session.expires_at.time_since_epoch().count();
  if (!session.made_by.key.empty()) {
    object["creationKey"] = session.made_by.key;
    object["creationRequest"] = session.made_by.request;
  }
  return to_text(object);
}

std::optional<Session> parse_store_json(std::string_view text) {
  const auto parsed = parse_object(text);
  if (!parsed) return {};
  const json::object& object = *parsed;
  Session session;
  session.id = integer_field(object, "id").value_or(0);
  session.token = text_field(object, "token");
  session.domain_id = integer_field(object, "domainId").value_or(0);
  session.domain = text_field(object, "domain");
  session.subscriber_id = integer_field(object, "subscriberId").value_or(0);
  session.msisdn = text_field(object, "msisdn");
  session.direction =
      text_field(object, "direction") == "incoming" ? Direction::kIncoming : Direction::kOutgoing;
  session.remote = text_field(object, "remote");
  session.caller_id = text_field(object, "callerId");
  session.time_limit_s = integer_field(object, "timeLimit");
  session.call_timeout_s = integer_field(object, "callTimeout");
  session.created_at = time_field(object, "createdAt").value_or(WallTime{});
  session.modified_at = time_field(object, "modifiedAt").value_or(WallTime{});
  session.expires_at = time_field(object, "expiresAt").value_or(session.created_at);
  session.call_start = time_field(object, "callStartTime");
  session.call_answer = time_field(object, "callAnswerTime");
  session.status = status_by_name(text_field(object, "status"));
  session.callback = text_field(object, "callback");
  session.node = text_field(object, "node");
  session.events_sent = integer_field(object, "eventsSent").value_or(0);
  session.made_by = {text_field(object, "creationKey"), text_field(object, "creationRequest")};
  const json::value* is_free = object.if_contains("tokenFree");
  session.token_state =
      is_free != nullptr && is_free->is_bool() && is_free->as_bool() ? TokenState::kFree : TokenState::kUsed;
  if (const json::value* routing = object.if_contains("routing")) session.routing_json = to_text(*routing);
  if (const json::value* ids = object.if_contains("callIds"); ids != nullptr && ids->is_array()) {
    for (const json::value& each : ids->as_array()) {
      if (each.is_string()) session.call_ids.emplace_back(each.as_string());
    }
  }
  session.last_error = text_field(object, "lastError");
  if (session.token.empty() || session.id == 0) return {};
  return session;
}

}  // namespace vas::sessions
