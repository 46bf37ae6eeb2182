#include "vas/records/cdr.h"

#include <algorithm>

namespace vas::records {

std::string_view to_string(Disposition disposition) {
  switch (disposition) {
    case Disposition::kAnswered: return "ANSWERED";
    case Disposition::kBusy: return "BUSY";
    case Disposition::kNoAnswer: return "NOANSWER";
    case Disposition::kCancelled: return "CANCELLED";
    case Disposition::kDenied: return "DENIED";
    case Disposition::kNoCredit: return "NOCREDIT";
    case Disposition::kCongestion: return "CONGESTION";
    case Disposition::kFailed: return "FAILED";
    case Disposition::kExpired: return "EXPIRED";
  }
  return "?";
}

std::string_view to_string(EndedBy party) {
  switch (party) {
    case EndedBy::kCaller: return "caller";
    case EndedBy::kCallee: return "callee";
    case EndedBy::kSystem: return "system";
  }
  return "?";
}

double cost(const Price& price, std::int64_t billed_seconds) {
  std::int64_t paid = price.minimum_s;
  if (billed_seconds > paid) {
    const std::int64_t increment = std::max<std::int64_t>(1, price.increment_s);
    paid += (billed_seconds - paid + increment - 1) / increment * increment;
  }
  return price.rate_per_minute * static_cast<double>(paid) / 60.0;
}

std::string_view to_string(Recovery recovery) {
  switch (recovery) {
    case Recovery::kNone: return "";
    case Recovery::kLastKnown: return "last-known";
    case Recovery::kUnreadable: return "unreadable";
  }
  return "?";
}

void close_after_node_failure(CallRecord& record, const std::optional<LastSign>& sign) {
  record.disposition = record.answer ? Disposition::kAnswered : Disposition::kFailed;
  record.termination_reason = "node-failure";
  record.ended_by = EndedBy::kSystem;
  record.local_cause = LocalCause::kNodeFailure;
  if (record.recovery == Recovery::kNone) record.recovery = Recovery::kLastKnown;
  record.end.reset();  // nobody knows when the parties noticed
  record.ended_at.reset();
  const bool knows_start = record.started_at != Time{};
  const bool knows_answer = !record.answer || record.answered_at;
  if (!knows_start || !knows_answer) return;  // a draft of an earlier version
  const Time known = record.answered_at.value_or(record.started_at);
  const bool is_later = sign && sign->monotonic >= known;
  record.ended_at = is_later ? sign->monotonic : known;
  record.end = is_later ? sign->wall : record.answer.value_or(record.start);
}

}  // namespace vas::records
