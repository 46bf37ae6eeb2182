// How a call ends: who is told what, and what its record says.
#include <fmt/format.h>

#include "vas/calls/call.h"

namespace vas::calls {
namespace {

using records::Disposition;
using records::EndedBy;
using records::LocalCause;

// Of a 488: which of its reasons it is (RFC 3261 §20.43).
int warning_code(LocalCause cause) {
  if (cause == LocalCause::kNoMediaPort) return 300;
  if (cause == LocalCause::kUnreadableMedia) return 307;
  return cause == LocalCause::kUnsafeMediaAddress ? 399 : 305;
}

// Seconds. A 503 says when another try is worth it (RFC 3261 §21.5.4).
std::optional<std::uint32_t> retry_after_of(int status) {
  return status == 503 ? std::optional<std::uint32_t>(10) : std::nullopt;
}

}  // namespace

signaling::Header media_warning(std::string_view why, LocalCause cause) {
  return {"Warning", fmt::format("{} vas \"{}\"", warning_code(cause), why)};
}

signaling::Header accepted_body() { return {"Accept", "application/sdp"}; }

void Call::on_call_timeout(Now& now) {
  end({.disposition = Disposition::kNoAnswer, .reason = "no-answer", .cause = LocalCause::kCallTimeout}, now);
}

// The caller said in its INVITE how long it waits (RFC 3261 §13.3.1): as if it had sent CANCEL then.
void Call::on_expired(Now& now) {
  end({.disposition = Disposition::kCancelled,
       .ended_by = EndedBy::kCaller,
       .reason = "expired",
       .status_for_unanswered = 487},
      now);
}

// The caller hung up before the answer, or (crossing) just after we sent it:
// its 487 is out, so the call is over.
void Call::on_cancelled(LegSide side, const std::string& reason, Now& now) {
  if (phase_ == Phase::kEnded) return;
  const bool is_pick_up = side == LegSide::kB && phase_ != Phase::kConnected;
  if (is_pick_up) return let_go_of_pick_up(now);  // the subscriber's app gave up its INVITE
  roll_back_answer();
  end({.disposition = Disposition::kCancelled,
       .ended_by = side == LegSide::kA ? EndedBy::kCaller : EndedBy::kCallee,
       .reason = "cancelled",
       .reason_header = reason,
       .gone = side},
      now);
}

void Call::on_deleted(DeleteReason reason, Now& now) {
  if (phase_ == Phase::kEnded) return;
  End how{.disposition = Disposition::kFailed,
          .reason = "deleted",
          .cause = LocalCause::kDeleted,
          .reason_header = "SIP;cause=480;text=\"Ended by the application\""};
  switch (reason) {
    case DeleteReason::kNone: break;
    case DeleteReason::kTimeout: how.disposition = Disposition::kNoAnswer; break;
    case DeleteReason::kDenied:
      how.disposition = Disposition::kDenied;
      how.status_for_unanswered = 603;
      break;
    case DeleteReason::kBusy:
      how.disposition = Disposition::kBusy;
      how.status_for_unanswered = 486;
      break;
    case DeleteReason::kNoCredit:
      how.disposition = Disposition::kNoCredit;
      how.status_for_unanswered = 402;
      break;
  }
  if (phase_ == Phase::kConnected) {
    how.disposition = Disposition::kAnswered;
    how.reason_header =
        "SIP;cause=" + std::to_string(how.status_for_unanswered) + ";text=\"Ended by the application\"";
  } else if (kind_ == CallKind::kParked) {
    how.ended_by = EndedBy::kCallee;  // its backend said so
  }
  end(how, now);
}

void Call::end(const End& how, Now& now) {
  if (phase_ == Phase::kEnded) return;
  phase_ = Phase::kEnded;
  timers_.clear_all();
  if (renegotiation_) {
    send(signaling::RespondToRequest{party(renegotiation_->from).dialog, renegotiation_->request, 487, ""},
         now);
    renegotiation_.reset();
  }
  for (const LegSide side : {LegSide::kA, LegSide::kB}) {
    if (how.gone != side) end_party(side, how, now);
  }
  record_.disposition = how.disposition;
  record_.termination_reason = how.reason;
  record_.ended_by = how.ended_by;
  record_.local_cause = how.cause;
  record_.end = now.wall;
  record_.ended_at = now.time;
  now.actions.emplace_back(Ended{});
}

void Call::end_party(LegSide side, const End& how, Now& now) {
  const Party& each = party(side);
  if (each.dialog.value == 0) return;
  if (each.is_answered) return send(signaling::SendBye{each.dialog, how.reason_header}, now);
  if (!each.is_incoming) return send(signaling::CancelInvite{each.dialog, how.reason_header}, now);
  std::vector<signaling::Header> headers;
  if (how.status_for_unanswered == 488)
    headers.push_back(media_warning(how.warning.empty() ? kNoSharedCodec : how.warning, how.cause));
  if (how.status_for_unanswered == 415) headers.push_back(accepted_body());
  const auto retry_after = how.retry_after ? how.retry_after : retry_after_of(how.status_for_unanswered);
  if (retry_after) headers.push_back({"Retry-After", std::to_string(*retry_after)});
  if (!how.refusal_reason.empty()) headers.push_back({"Reason", how.refusal_reason});
  respond(side, how.status_for_unanswered, "", now, std::move(headers));
}

// The caller never had our 200.
void Call::roll_back_answer() {
  record_.answer.reset();
  record_.answered_at.reset();
}

}  // namespace vas::calls
