#include "vas/sessions/session.h"

#include <boost/json.hpp>

#include "vas/base/clock.h"

namespace vas::sessions {
namespace {

namespace json = boost::json;

json::value or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

json::value milliseconds(const std::optional<WallTime>& time) {
  return time ? json::value(time->time_since_epoch().count()) : json::value(nullptr);
}

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
  json::object object{
      {"id", session.id},
      {"domainId", session.domain_id},
      {"domain", session.domain},
      {"subscriberId", session.subscriber_id},
      {is_outgoing ? "destination" : "origination", session.remote},
      {"remote", session.remote},
      {"callerId", or_null(session.caller_id)},
      {"direction", to_string(session.direction)},
      {"token", session.token},
      {"status", to_string(session.status)},
      {"timeLimit", session.time_limit_s ? json::value(*session.time_limit_s) : json::value(nullptr)},
      {"createdAt", session.created_at.time_since_epoch().count()},
      {"modifiedAt", session.modified_at.time_since_epoch().count()},
      {"callStartTime", milliseconds(session.call_start)},
      {"callAnswerTime", milliseconds(session.call_answer)},
      {"callEndTime", milliseconds(session.call_end)},
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

std::string string_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::optional<std::int64_t> integer_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_int64()) return {};
  return value->as_int64();
}

std::optional<WallTime> wall_of(const json::object& object, std::string_view key) {
  const auto value = integer_of(object, key);
  if (!value) return {};
  return WallTime(std::chrono::milliseconds(*value));
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
  return json::serialize(object_of(session, with_routing));
}

std::string to_callback_json(const Session& session, std::string_view action, std::string_view reason) {
  json::object object = object_of(session, true);
  object["eventId"] = session.token + "-" + std::to_string(session.events_sent);
  object["action"] = action;
  if (!reason.empty()) object["reason"] = reason;
  return json::serialize(object);
}

std::string to_store_json(const Session& session) {
  json::object object = object_of(session, true);
  object["msisdn"] = session.msisdn;
  object["tokenFree"] = session.token_state == TokenState::kFree;
  object["eventsSent"] = session.events_sent;
  return json::serialize(object);
}

std::optional<Session> parse_store_json(std::string_view text) {
  boost::system::error_code failure;
  const json::value value = json::parse(text, failure);
  if (failure || !value.is_object()) return {};
  const json::object& object = value.as_object();
  Session session;
  session.id = integer_of(object, "id").value_or(0);
  session.token = string_of(object, "token");
  session.domain_id = integer_of(object, "domainId").value_or(0);
  session.domain = string_of(object, "domain");
  session.subscriber_id = integer_of(object, "subscriberId").value_or(0);
  session.msisdn = string_of(object, "msisdn");
  session.direction =
      string_of(object, "direction") == "incoming" ? Direction::kIncoming : Direction::kOutgoing;
  session.remote = string_of(object, "remote");
  session.caller_id = string_of(object, "callerId");
  session.time_limit_s = integer_of(object, "timeLimit");
  session.created_at = wall_of(object, "createdAt").value_or(WallTime{});
  session.modified_at = wall_of(object, "modifiedAt").value_or(WallTime{});
  session.call_start = wall_of(object, "callStartTime");
  session.callback = string_of(object, "callback");
  session.node = string_of(object, "node");
  session.events_sent = integer_of(object, "eventsSent").value_or(0);
  const json::value* is_free = object.if_contains("tokenFree");
  session.token_state =
      is_free != nullptr && is_free->is_bool() && is_free->as_bool() ? TokenState::kFree : TokenState::kUsed;
  if (const json::value* routing = object.if_contains("routing"))
    session.routing_json = json::serialize(*routing);
  if (session.token.empty() || session.id == 0) return {};
  return session;
}

}  // namespace vas::sessions
