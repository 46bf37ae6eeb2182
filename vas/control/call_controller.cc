#include "vas/control/call_controller.h"

#include "signaling/sip/sip_message.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/match.h"

namespace vas::control {
namespace {

using bridge::LegSide;
using sessions::Session;
using sessions::TokenState;

// The gateway keeps a call's messages together by what this header says, and takes it off.
signaling::SipCommand labelled(signaling::SipCommand command, const std::string& token) {
  const auto label = [&token](std::vector<signaling::Header>& headers) {
    if (!token.empty()) headers.push_back({std::string(signaling::kCallHeader), token});
  };
  match(
      command, [&](signaling::SendInvite& each) { label(each.headers); },
      [&](signaling::RespondToInvite& each) { label(each.headers); },
      ignoring<std::monostate, signaling::CancelInvite, signaling::SendBye, signaling::SendOffer,
               signaling::SendInfo, signaling::RespondToRequest, signaling::SaveDialog,
               signaling::RestoreDialog>);
  return command;
}

calls::DeleteReason delete_reason(const std::string& word) {
  if (word == "timeout") return calls::DeleteReason::kTimeout;
  if (word == "denied" || word == "rejected") return calls::DeleteReason::kDenied;
  if (word == "busy") return calls::DeleteReason::kBusy;
  if (word == "nocredit") return calls::DeleteReason::kNoCredit;
  return calls::DeleteReason::kNone;
}

}  // namespace

CallController::CallController(const Parts& parts, CallControllerConfig config)
    : parts_(parts), config_(std::move(config)), timer_(parts.context) {}

// ---- events and actions ----

void CallController::on_sip(signaling::SipEvent event) {
  thread_check_.check();
  if (const auto* invite = std::get_if<signaling::InviteReceived>(&event)) return admit(*invite);
  const auto call = calls_by_dialog_.find(signaling::dialog_of(event).value);
  if (call == calls_by_dialog_.end()) return end_orphan(event);
  deliver(call->second, std::move(event));
}

// Of a call that has left its record already: what still comes of it is ended.
void CallController::end_orphan(const signaling::SipEvent& event) {
  match(
      event,
      [this](const signaling::InviteAnswered& each) {
        send(signaling::SendBye{each.dialog, ""});
      },
      [this](const signaling::OfferReceived& each) {
        send(signaling::RespondToRequest{each.dialog, each.request, 481, ""});
      },
      [this](const signaling::InfoReceived& each) {
        send(signaling::RespondToRequest{each.dialog, each.request, 481, ""});
      },
      ignoring<std::monostate, signaling::ProbeReceived, signaling::InviteReceived,
               signaling::ProgressReceived, signaling::InviteFailed, signaling::InviteCancelled,
               signaling::AckReceived, signaling::DialogLost, signaling::OfferAnswered,
               signaling::InfoResponded, signaling::SessionRefreshed, signaling::ByeReceived,
               signaling::DialogSaved>);
}

void CallController::deliver(std::uint64_t call, const calls::CallEvent& event) {
  const auto found = entries_.find(call);
  if (found == entries_.end()) return;
  calls::CallActions actions;
  found->second.call->on(event, monotonic_now(), wall_now(), actions);
  run(found->second, std::move(actions));
}

// Carrying out an action may make the call ask for more: those follow in order.
void CallController::run(Entry& entry, calls::CallActions actions) {
  const std::uint64_t id = entry.call->id();
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const calls::CallAction action = std::move(actions[i]);
    carry_out(entry, action, actions);
    if (!entries_.contains(id)) return;
  }
  schedule(entry);
}

void CallController::carry_out(Entry& entry, const calls::CallAction& action, calls::CallActions& more) {
  match(
      action, [&](const signaling::SipCommand& each) { send_for(entry, each, more); },
      [&](const calls::OpenLeg& each) { open_leg(entry, each, more); },
      [&](const calls::ConfigureLegMedia& each) { configure_media(entry, each, more); },
      [&](const calls::AwaitDtls& each) { parts_.media.await_dtls(*entry.bridge, each.side); },
      [&](const calls::StartMedia&) { parts_.media.start(*entry.bridge); },
      [&](const calls::AskHeard&) { parts_.media.ask_heard(*entry.bridge); },
      [&](const calls::NotifyBackend&) { notify_backend(entry); },
      [&](const calls::SetStatus& each) { set_status(entry, each.status); },
      [&](const calls::ReleaseToken&) { parts_.sessions.set_token_state(entry.token, TokenState::kFree); },
      [&](const calls::ConsumeToken&) { parts_.sessions.consume(entry.token); },
      [&](const calls::Ended&) { finish(entry); });
}

void CallController::send_for(Entry& entry, const signaling::SipCommand& command, calls::CallActions& more) {
  if (const auto* invite = std::get_if<signaling::SendInvite>(&command)) {
    add_dialog(entry, invite->dialog);
    if (!claim_trunk(entry)) return skip_trunk(entry, invite->dialog, more);
  }
  send(labelled(command, entry.token));
}

void CallController::configure_media(Entry& entry, const calls::ConfigureLegMedia& action,
                                     calls::CallActions& more) {
  const bool is_safe = parts_.media.configure_leg(*entry.bridge, action.side, action.config);
  if (!is_safe) entry.call->on(calls::MediaRefused{}, monotonic_now(), wall_now(), more);
}

// As if it could not be sent: the call goes on with its next route, or says why it ends.
void CallController::skip_trunk(Entry& entry, signaling::DialogId dialog, calls::CallActions& more) {
  calls::Call& call = *entry.call;
  call.on(signaling::InviteFailed{dialog, 0}, monotonic_now(), wall_now(), more);
  if (call.is_ended() && call.record().local_cause == records::LocalCause::kNone)
    call.record().local_cause = records::LocalCause::kTrunkUsedUp;
}

void CallController::add_dialog(Entry& entry, signaling::DialogId dialog) {
  entry.dialogs.push_back(dialog.value);
  calls_by_dialog_[dialog.value] = entry.call->id();
}

void CallController::open_leg(Entry& entry, const calls::OpenLeg& action, calls::CallActions& more) {
  if (!entry.bridge) {
    entry.bridge = parts_.media.open_bridge();
    calls_by_bridge_[*entry.bridge] = entry.call->id();
  }
  if (action.full_ice && parts_.media.has(action.family)) {
    const bridge::LegIce& ice = *action.full_ice;
    return parts_.media.gather_leg(*entry.bridge, action.side, action.family, ice.local, ice.role);
  }
  const auto local = parts_.media.open_leg(*entry.bridge, action.side, action.family, action.ports);
  if (!local) log::warn(entry.token, "no media for a leg: {}", local.error());
  entry.call->on(calls::LegOpened{.side = action.side,
                                  .local = local ? std::optional(*local) : std::nullopt,
                                  .ssrc = parts_.media.outgoing_ssrc(*entry.bridge, action.side),
                                  .has_family = parts_.media.has(action.family)},
                 monotonic_now(), wall_now(), more);
}

void CallController::set_status(const Entry& entry, sessions::Status status) {
  for (const std::string& token : {entry.token, entry.linked_token}) {
    if (!token.empty()) parts_.sessions.set_status(token, status);
  }
  parts_.journal.update(entry.call->record());
}

// The stack's inbox holds tens of thousands of commands. When it is full the stack is stuck, and a lost
// command is mended by the timers of SIP.
void CallController::send(signaling::SipCommand command) {
  if (!parts_.sip.send(std::move(command)))
    log::error("", "the SIP stack's inbox is full; a command was dropped");
}

void CallController::finish(Entry& entry) {
  const records::CallRecord& record = entry.call->record();
  log::info(entry.token, "ended: {} {}, by {}", to_string(record.disposition), record.termination_reason,
            to_string(record.ended_by));
  for (const std::string& token : {entry.token, entry.linked_token}) {
    if (token.empty()) continue;
    const Session* session = parts_.sessions.find(token);
    const bool is_unexplained = session != nullptr && session->last_error.empty();
    if (is_unexplained && record.disposition != records::Disposition::kAnswered)
      parts_.sessions.set_last_error(token, record.termination_reason);
    parts_.sessions.end(token, std::string(to_string(record.disposition)), record.termination_reason);
    calls_by_token_.erase(token);
  }
  deadlines_.erase({entry.deadline, entry.call->id()});
  entry.deadline = kNever;
  if (entry.bridge) return parts_.media.close(*entry.bridge);  // its figures come back with BridgeClosed
  write_record(entry.call->id());
}

void CallController::on_media(const bridge::MediaEvent& event) {
  thread_check_.check();
  match(
      event, ignoring<std::monostate, ice::AgentEvent>,  // what agents say has become a leg's event
      [this](const bridge::MediaSilent& each) { deliver_to(each.bridge, calls::MediaWentSilent{}); },
      [this](const bridge::BridgeHeard& each) { deliver_to(each.bridge, calls::MediaHeard{each.last}); },
      [this](const bridge::LegGathered& each) { on_gathered(each); },
      [this](const bridge::LegPathFound& each) {
        deliver_to(each.bridge, calls::IcePathFound{each.side, each.local_type});
      },
      [this](const bridge::BridgeClosed& each) { on_closed(each); });
}

// To the call whose bridge it is, if that lives.
void CallController::deliver_to(bridge::BridgeId bridge, const calls::CallEvent& event) {
  const auto call = calls_by_bridge_.find(bridge);
  if (call != calls_by_bridge_.end()) deliver(call->second, event);
}

void CallController::on_gathered(const bridge::LegGathered& event) {
  const auto call = calls_by_bridge_.find(event.bridge);
  if (call == calls_by_bridge_.end()) return;
  if (!event.local)
    log::warn(entries_.at(call->second).token, "no media for a leg: full ICE found no address of ours");
  deliver(call->second,
          calls::LegOpened{event.side, event.local, parts_.media.outgoing_ssrc(event.bridge, event.side),
                           event.candidates});
}

void CallController::on_closed(const bridge::BridgeClosed& event) {
  const auto call = calls_by_bridge_.find(event.bridge);
  if (call == calls_by_bridge_.end()) return;
  const std::uint64_t id = call->second;
  calls_by_bridge_.erase(call);
  entries_.at(id).call->record().media = event.legs;
  write_record(id);
}

void CallController::write_record(std::uint64_t call) {
  parts_.journal.end(entries_.at(call).call->record(), {});
  for (const std::uint64_t dialog : entries_.at(call).dialogs) calls_by_dialog_.erase(dialog);
  give_back_shares(entries_.at(call));
  entries_.erase(call);
}

bool CallController::delete_call(const std::string& token, const std::string& reason) {
  thread_check_.check();
  const auto call = calls_by_token_.find(token);
  if (call == calls_by_token_.end()) return false;
  deliver(call->second, calls::Deleted{delete_reason(reason)});
  return true;
}

void CallController::change_time_limit(const std::string& token, std::optional<std::int64_t> seconds) {
  thread_check_.check();
  const auto call = calls_by_token_.find(token);
  if (call != calls_by_token_.end()) deliver(call->second, calls::TimeLimitChanged{seconds});
}

void CallController::change_call_timeout(const std::string& token, Duration timeout) {
  thread_check_.check();
  const auto call = calls_by_token_.find(token);
  if (call != calls_by_token_.end()) deliver(call->second, calls::CallTimeoutChanged{timeout});
}

void CallController::shut_down() {
  thread_check_.check();
  is_shutting_down_ = true;
  std::vector<std::uint64_t> open;
  for (const auto& [id, entry] : entries_) open.push_back(id);
  for (const std::uint64_t id : open) deliver(id, calls::Shutdown{});
}

// ---- time ----

void CallController::schedule(Entry& entry) {
  const Time next = entry.call->next_deadline();
  if (next == entry.deadline) return;
  deadlines_.erase({entry.deadline, entry.call->id()});
  entry.deadline = next;
  if (next == kNever) return;
  deadlines_.insert({next, entry.call->id()});
  arm_timer();
}

void CallController::arm_timer() {
  if (deadlines_.empty()) return;
  const Duration left = std::max(Duration::zero(), deadlines_.begin()->first - monotonic_now());
  timer_.expires_after(left);
  timer_.async_wait([this](boost::system::error_code failure) {
    if (!failure) on_timer();
  });
}

void CallController::on_timer() {
  thread_check_.check();
  const Time now = monotonic_now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const std::uint64_t id = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    Entry& entry = entries_.at(id);
    entry.deadline = kNever;
    calls::CallActions actions;
    entry.call->on_time(now, wall_now(), actions);
    run(entry, std::move(actions));
  }
  arm_timer();
}

}  // namespace vas::control
