// The record of one call: a value that grows with the call and is written once at its end. (docs/cdr.md)
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "bridge/leg/leg_config.h"
#include "ice/agent/candidate.h"

namespace vas::records {

enum class Disposition {
  kAnswered,
  kBusy,
  kNoAnswer,
  kCancelled,
  kDenied,
  kNoCredit,
  kCongestion,
  kFailed,
  kExpired
};
enum class EndedBy { kCaller, kCallee, kSystem };

std::string_view to_string(Disposition disposition);  // "ANSWERED"
std::string_view to_string(EndedBy party);            // "caller"

// Our own refusals, beside SIP's codes (docs/cdr.md has the table).
enum class LocalCause {
  kNone = 0,
  kDirectionBlocked = 900,    // no route leads to the number
  kNoBackend = 901,           // neither control endpoint nor application is configured
  kBackendUnreachable = 902,  // the control endpoint failed or timed out
  kBackendRefused = 903,      // it replied something that forbids the call
  kUnknownNumber = 904,       // DNID, or the backend's 404
  kSubscriberInactive = 905,
  kNoCommonCodec = 906,
  kNoMediaPort = 907,
  kUnsafeMediaAddress = 908,
  kCallTimeout = 909,
  kTimeLimit = 910,
  kMediaTimeout = 911,
  kDeleted = 912,  // DELETE of the session
  kShutdown = 913,
  kNodeFailure = 914,
  kDialogLost = 915,
  kStoreFailure = 916,
  kShareUsedUp = 917,          // of calls, or of calls a second: the domain's or its tenant's
  kTrunkUsedUp = 918,          // the trunk's own
  kTrunkAuthentication = 919,  // it took no password of ours
  kLoop = 920,                 // a call of ours came back to the number that it came for
  kHoldTimeout = 921,
  kUnreadableMedia = 922,
};

struct RouteAttempt {
  std::optional<std::int64_t> trunk_id;
  std::string address;
  std::string number;
  int code = 0;                              // 0: nothing came back
  std::optional<double> post_dial_delay_ms;  // INVITE to the first response beyond 100
};

struct LegRecord {
  std::string role;  // "caller", "callee"
  std::string uri;
  std::string signaling_address;
  std::string transport;
  std::string user_agent;
  bool was_present = false;  // this party had a dialog with us
  // What it last said of itself by ICE; none: no ICE.
  std::optional<std::vector<ice::Candidate>> ice_candidates;
  ice::CandidateType ice_local_type = ice::CandidateType::kHost;  // ours
};

struct Price {
  double rate_per_minute = 0;
  std::int64_t minimum_s = 0;
  std::int64_t increment_s = 1;
};
// The minimum is always paid once answered, then whole increments.
double cost(const Price& price, std::int64_t billed_seconds);

// Why a record knows less than it should, or knows it otherwise (docs/cdr.md).
enum class Recovery {
  kNone,
  kLastKnown,   // the process died: times and figures are those of its last sign of life
  kUnreadable,  // and what it had written of the call could not be read
};
std::string_view to_string(Recovery recovery);  // "last-known"

struct CallRecord {
  std::string id;
  std::string session;  // token
  std::string node;
  std::optional<std::int64_t> tenant_id;
  std::optional<std::int64_t> domain_id;
  std::string domain;
  std::optional<std::int64_t> subscriber_id;
  std::string direction;  // "outgoing", "incoming"
  std::string from;
  std::string to;
  std::string caller_id;
  std::vector<std::string> call_ids;

  WallTime start{};
  std::optional<WallTime> ring;
  std::optional<WallTime> answer;
  std::optional<WallTime> end;
  Time started_at{};  // durations are monotonic, so that a clock step bends none
  std::optional<Time> answered_at;
  std::optional<Time> ended_at;

  Disposition disposition = Disposition::kFailed;
  std::string termination_reason;
  EndedBy ended_by = EndedBy::kSystem;
  std::optional<int> last_sip_code;  // of the far side; 0: asked and nothing came back; absent: never asked
  LocalCause local_cause = LocalCause::kNone;
  Recovery recovery = Recovery::kNone;
  std::vector<RouteAttempt> route;
  std::optional<Price> sell_price;
  std::optional<Price> buy_price;
  std::array<LegRecord, 2> legs;
  std::optional<std::array<bridge::LegStats, 2>> media;  // absent: the figures are lost with the process
};

// One JSON object, no line break.
std::string to_json(const CallRecord& record);

// What a journal's first entry needs to make a record after a crash.
std::string to_draft_json(const CallRecord& record);
std::optional<CallRecord> parse_draft_json(std::string_view text);

// When the process lived for certain, and with it each call that was open.
struct LastSign {
  WallTime wall{};
  Time monotonic{};
};
std::string to_json(const LastSign& sign);
std::optional<LastSign> parse_last_sign(std::string_view text);

// Closes what a dead process left open: reason node-failure, at the last moment that is known of it. `sign`
// is of that process.
void close_after_node_failure(CallRecord& record, const std::optional<LastSign>& sign);

}  // namespace vas::records
