#include "vas/app/switchboard.h"

#include "signaling/gateway/sip_message.h"

#include "vas/base/clock.h"
#include "vas/base/log.h"

namespace vas::app {
namespace {

using bridge::LegSide;
using sessions::Session;
using sessions::TokenState;

// The gateway keeps a call's messages together by what this header says, and takes it off.
signaling::SipCommand labelled(signaling::SipCommand command, const std::string& token) {
  const auto label = [&token](std::vector<signaling::Header>& headers) {
    if (!token.empty()) headers.push_back({std::string(signaling::kCallHeader), token});
  };
  if (auto* invite = std::get_if<signaling::SendInvite>(&command)) label(invite->headers);
  if (auto* answer = std::get_if<signaling::AnswerInvite>(&command)) label(answer->headers);
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

Switchboard::Switchboard(const Parts& parts, SwitchboardConfig config)
    : parts_(parts), config_(std::move(config)), timer_(parts.context) {}

// ---- events and actions ----

void Switchboard::on_sip(signaling::SipEvent event) {
  if (const auto* invite = std::get_if<signaling::InviteReceived>(&event)) return admit(*invite);
  const auto call = calls_by_dialog_.find(signaling::dialog_of(event).value);
  if (call == calls_by_dialog_.end()) return answer_orphan(event);
  deliver(call->second, std::move(event));
}

// Of a call that has left its record already: what still comes of it is ended.
void Switchboard::answer_orphan(const signaling::SipEvent& event) {
  if (const auto* answered = std::get_if<signaling::InviteAnswered>(&event))
    send(signaling::SendBye{answered->dialog, ""});
  if (const auto* offer = std::get_if<signaling::OfferReceived>(&event)) {
    send(signaling::AnswerRequest{offer->dialog, offer->request, 481, ""});
  }
  if (const auto* info = std::get_if<signaling::InfoReceived>(&event)) {
    send(signaling::AnswerRequest{info->dialog, info->request, 481, ""});
  }
}

void Switchboard::deliver(std::uint64_t call, const calls::CallEvent& event) {
  const auto found = entries_.find(call);
  if (found == entries_.end()) return;
  calls::CallActions actions;
  found->second.call->on(event, monotonic_now(), wall_now(), actions);
  run(found->second, std::move(actions));
}

// Carrying out an action may make the call ask for more: those follow in order.
void Switchboard::run(Entry& entry, calls::CallActions actions) {
  const std::uint64_t id = entry.call->id();
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const calls::CallAction action = std::move(actions[i]);
    carry_out(entry, action, actions);
    if (!entries_.contains(id)) return;
  }
  schedule(entry);
}

void Switchboard::carry_out(Entry& entry, const calls::CallAction& action, calls::CallActions& more) {
  if (const auto* command = std::get_if<signaling::SipCommand>(&action)) {
    if (const auto* invite = std::get_if<signaling::SendInvite>(command)) {
      add_dialog(entry, invite->dialog);
      if (!take_out_trunk(entry)) return skip_trunk(entry, invite->dialog, more);
    }
    return send(labelled(*command, entry.token));
  }
  if (const auto* open = std::get_if<calls::OpenLeg>(&action)) return open_leg(entry, *open, more);
  if (const auto* media = std::get_if<calls::ConfigureLegMedia>(&action)) {
    const bool is_safe = parts_.media.configure_leg(*entry.bridge, media->side, media->config);
    if (!is_safe) entry.call->on(calls::MediaRefused{}, monotonic_now(), wall_now(), more);
    return;
  }
  if (const auto* awaited = std::get_if<calls::AwaitDtls>(&action))
    return parts_.media.await_dtls(*entry.bridge, awaited->side);
  if (std::holds_alternative<calls::StartMedia>(action)) return parts_.media.start(*entry.bridge);
  if (std::holds_alternative<calls::AskHeard>(action)) return parts_.media.ask_heard(*entry.bridge);
  if (std::holds_alternative<calls::NotifyBackend>(action)) return notify_backend(entry);
  if (const auto* status = std::get_if<calls::SetStatus>(&action)) return set_status(entry, status->status);
  if (std::holds_alternative<calls::ReleaseToken>(action))
    return parts_.sessions.set_token_state(entry.token, TokenState::kFree);
  if (std::holds_alternative<calls::ConsumeToken>(action)) return parts_.sessions.consume(entry.token);
  if (std::holds_alternative<calls::Ended>(action)) return finish(entry);
}

// As if it could not be sent: the call goes on with its next route, or says why it ends.
void Switchboard::skip_trunk(Entry& entry, signaling::DialogId dialog, calls::CallActions& more) {
  calls::Call& call = *entry.call;
  call.on(signaling::InviteFailed{dialog, 0}, monotonic_now(), wall_now(), more);
  if (call.is_ended() && call.record().local_cause == records::LocalCause::kNone)
    call.record().local_cause = records::LocalCause::kTrunkUsedUp;
}

void Switchboard::add_dialog(Entry& entry, signaling::DialogId dialog) {
  entry.dialogs.push_back(dialog.value);
  calls_by_dialog_[dialog.value] = entry.call->id();
}

void Switchboard::open_leg(Entry& entry, const calls::OpenLeg& action, calls::CallActions& more) {
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

void Switchboard::set_status(const Entry& entry, sessions::Status status) {
  for (const std::string& token : {entry.token, entry.linked_token}) {
    if (!token.empty()) parts_.sessions.set_status(token, status);
  }
  parts_.journal.update(entry.call->record());
}

// The stack's inbox holds tens of thousands of commands. When it is full the stack is stuck, and a lost
// command is mended by the timers of SIP.
void Switchboard::send(signaling::SipCommand command) {
  if (!parts_.sip.send(std::move(command)))
    log::error("", "the SIP stack's inbox is full; a command was dropped");
}

void Switchboard::finish(Entry& entry) {
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

void Switchboard::on_media(const bridge::MediaEvent& event) {
  if (const auto* silent = std::get_if<bridge::MediaSilent>(&event)) {
    const auto call = calls_by_bridge_.find(silent->bridge);
    if (call != calls_by_bridge_.end()) deliver(call->second, calls::MediaWentSilent{});
  }
  if (const auto* heard = std::get_if<bridge::BridgeHeard>(&event)) {
    const auto call = calls_by_bridge_.find(heard->bridge);
    if (call != calls_by_bridge_.end()) deliver(call->second, calls::MediaHeard{heard->last});
  }
  if (const auto* gathered = std::get_if<bridge::LegGathered>(&event)) {
    const auto call = calls_by_bridge_.find(gathered->bridge);
    if (call == calls_by_bridge_.end()) return;
    if (!gathered->local)
      log::warn(entries_.at(call->second).token, "no media for a leg: full ICE found no address of ours");
    deliver(call->second, calls::LegOpened{gathered->side, gathered->local,
                                           parts_.media.outgoing_ssrc(gathered->bridge, gathered->side),
                                           gathered->candidates});
  }
  if (const auto* found = std::get_if<bridge::LegPathFound>(&event)) {
    const auto call = calls_by_bridge_.find(found->bridge);
    if (call != calls_by_bridge_.end())
      deliver(call->second, calls::IcePathFound{found->side, found->local_type});
  }
  if (const auto* closed = std::get_if<bridge::BridgeClosed>(&event)) {
    const auto call = calls_by_bridge_.find(closed->bridge);
    if (call == calls_by_bridge_.end()) return;
    const std::uint64_t id = call->second;
    calls_by_bridge_.erase(call);
    entries_.at(id).call->record().media = closed->legs;
    write_record(id);
  }
}

void Switchboard::write_record(std::uint64_t call) {
  parts_.journal.end(entries_.at(call).call->record(), {});
  for (const std::uint64_t dialog : entries_.at(call).dialogs) calls_by_dialog_.erase(dialog);
  give_back_shares(entries_.at(call));
  entries_.erase(call);
}

bool Switchboard::delete_call(const std::string& token, const std::string& reason) {
  const auto call = calls_by_token_.find(token);
  if (call == calls_by_token_.end()) return false;
  deliver(call->second, calls::Deleted{delete_reason(reason)});
  return true;
}

void Switchboard::change_time_limit(const std::string& token, std::optional<std::int64_t> seconds) {
  const auto call = calls_by_token_.find(token);
  if (call != calls_by_token_.end()) deliver(call->second, calls::TimeLimitChanged{seconds});
}

void Switchboard::change_call_timeout(const std::string& token, Duration timeout) {
  const auto call = calls_by_token_.find(token);
  if (call != calls_by_token_.end()) deliver(call->second, calls::CallTimeoutChanged{timeout});
}

void Switchboard::shut_down() {
  is_shutting_down_ = true;
  std::vector<std::uint64_t> open;
  for (const auto& [id, entry] : entries_) open.push_back(id);
  for (const std::uint64_t id : open) deliver(id, calls::Shutdown{});
}

// ---- time ----

void Switchboard::schedule(Entry& entry) {
  const Time next = entry.call->next_deadline();
  if (next == entry.deadline) return;
  deadlines_.erase({entry.deadline, entry.call->id()});
  entry.deadline = next;
  if (next == kNever) return;
  deadlines_.insert({next, entry.call->id()});
  arm_timer();
}

void Switchboard::arm_timer() {
  if (deadlines_.empty()) return;
  const Duration left = std::max(Duration::zero(), deadlines_.begin()->first - monotonic_now());
  timer_.expires_after(left);
  timer_.async_wait([this](boost::system::error_code failure) {
    if (!failure) on_timer();
  });
}

void Switchboard::on_timer() {
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

}  // namespace vas::app
