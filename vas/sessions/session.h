// What the API makes and a token names: the authority for one call.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace vas::sessions {

enum class Direction { kOutgoing, kIncoming };
enum class Status { kNew, kProcessing, kRinging, kConnected };

std::string_view to_string(Direction direction);
std::string_view to_string(Status status);

// A token is used once: taken by the INVITE that presents it,
// or (incoming) reserved and given back when that fails.
enum class TokenState { kFree, kReserved, kUsed };

// A request that makes a session, and may come again though it should make one only. Both are digests.
struct CreationKey {
  std::string key;      // of the Idempotency-Key and whose it is; empty: there is none
  std::string request;  // of what was asked for
};

struct Session {
  std::int64_t id = 0;
  std::string token;
  std::int64_t domain_id = 0;
  std::string domain;
  std::int64_t subscriber_id = 0;
  std::string msisdn;
  Direction direction = Direction::kOutgoing;
  std::string remote;  // destination or origination
  std::string caller_id;
  Status status = Status::kNew;
  std::optional<std::int64_t> time_limit_s;
  WallTime created_at{};
  WallTime modified_at{};
  WallTime expires_at{};  // unless it is dialled before
  std::optional<WallTime> call_start;
  std::optional<WallTime> call_answer;
  std::optional<WallTime> call_end;
  std::string callback;
  std::optional<std::int64_t> call_timeout_s;  // of an incoming one; none: its domain's
  std::string routing_json;                    // as given, `route` turned into `routes`; empty: none
  std::vector<std::string> call_ids;
  std::string node;
  std::string last_error;
  std::string disposition;  // set at the end

  // Not part of the object that the API shows.
  TokenState token_state = TokenState::kFree;
  std::int64_t events_sent = 0;  // callbacks so far: makes eventId unique and monotonic
  CreationKey made_by;           // the request that made it, where that may be repeated
};

// Which sessions a list shows.
struct SessionFilter {
  std::int64_t domain_id = 0;
  std::string status;     // empty: any
  std::string direction;  // empty: any
  std::string msisdn;     // empty: any
};

// The object of the API. Lists leave `routing` out.
std::string to_json(const Session& session, bool with_routing = true);

// What the callback that tells of the session's last change is known by, `eventId` and `webhook-id`: its own
// among all, growing within the session, and no secret.
std::string event_id(const Session& session);

// The body of a status callback: the object with eventId, action and, at the end, reason.
std::string to_callback_json(const Session& session, std::string_view action, std::string_view reason);

// As the store keeps it, and back.
std::string to_store_json(const Session& session);
std::optional<Session> parse_store_json(std::string_view text);

}  // namespace vas::sessions
