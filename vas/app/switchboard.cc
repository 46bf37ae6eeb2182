#include "vas/app/switchboard.h"

#include <boost/asio/post.hpp>
#include <boost/json.hpp>

#include "vas/base/clock.h"
#include "vas/base/log.h"
#include "vas/base/random.h"
#include "vas/calls/call_instructions.h"

namespace vas::app {
namespace {

using bridge::LegSide;
using records::LocalCause;
using sessions::Session;
using sessions::TokenState;

constexpr int kBackendTries = 4;  // the first and three more
constexpr auto kLongestAdmission = std::chrono::milliseconds(500);
constexpr auto kBackendBackoff = std::chrono::milliseconds(500);

// The dialog that an event is about; 0 for none.
signaling::DialogId dialog_of(const signaling::SipEvent& event) {
  return std::visit(
      [](const auto& each) {
        if constexpr (std::is_same_v<std::decay_t<decltype(each)>, std::monostate>) {
          return signaling::DialogId{};
        } else {
          return each.dialog;
        }
      },
      event);
}

calls::DeleteReason delete_reason(const std::string& word) {
  if (word == "timeout") return calls::DeleteReason::kTimeout;
  if (word == "denied" || word == "rejected") return calls::DeleteReason::kDenied;
  if (word == "busy") return calls::DeleteReason::kBusy;
  if (word == "nocredit") return calls::DeleteReason::kNoCredit;
  return calls::DeleteReason::kNone;
}

bool has_backend(const directory::Domain& domain) {
  return !domain.profile.control_endpoint.empty() || !domain.profile.routing_application.empty();
}

calls::BackendOutcome outcome_of(int status) {
  if (status / 100 == 2) return calls::BackendOutcome::kPark;
  if (status == 404) return calls::BackendOutcome::kNotFound;
  if (status == 0 || status / 100 == 5) return calls::BackendOutcome::kUnreachable;
  return calls::BackendOutcome::kForbidden;
}

}  // namespace

Switchboard::Switchboard(const Parts& parts, SwitchboardConfig config)
    : parts_(parts), config_(std::move(config)), timer_(parts.context) {}

// ---- admission ----

void Switchboard::on_sip(signaling::SipEvent event) {
  if (const auto* invite = std::get_if<signaling::InviteReceived>(&event)) return admit(*invite);
  const auto call = calls_by_dialog_.find(dialog_of(event).value);
  if (call == calls_by_dialog_.end()) return answer_orphan(event);
  deliver(call->second, std::move(event));
}

// Of a call that has left its record already: what still comes of it is ended.
void Switchboard::answer_orphan(const signaling::SipEvent& event) {
  if (const auto* answered = std::get_if<signaling::InviteAnswered>(&event))
    send(signaling::SendBye{answered->dialog, ""});
  if (const auto* offer = std::get_if<signaling::OfferReceived>(&event)) {
    send(signaling::AnswerRequest{offer->dialog, offer->request, 481, "Call/Transaction Does Not Exist", ""});
  }
  if (const auto* info = std::get_if<signaling::InfoReceived>(&event)) {
    send(signaling::AnswerRequest{info->dialog, info->request, 481, "Call/Transaction Does Not Exist", ""});
  }
}

void Switchboard::reject(const signaling::InviteReceived& invite, int status, const std::string& phrase,
                         std::vector<signaling::Header> headers) {
  log::info(invite.session_token, "INVITE from {} refused with {} {}", to_string(invite.source.peer), status,
            phrase);
  send(signaling::AnswerInvite{invite.dialog, status, phrase, "", std::move(headers)});
}

void Switchboard::admit(const signaling::InviteReceived& invite) {
  if (!invite.unsupported_extensions.empty()) {
    return reject(invite, 420, "Bad Extension", {{"Unsupported", invite.unsupported_extensions}});
  }
  if (is_shutting_down_) return reject(invite, 503, "Service Unavailable", {{"Retry-After", "10"}});
  if (!invite.session_token.empty()) return admit_token(invite);
  const directory::Trunk* trunk = trunk_of(invite);
  if (trunk == nullptr) return reject(invite, 403, "Forbidden");
  admit_trunk(invite, *trunk, nullptr);
}

// The trunk that trusts the INVITE's source. A carrier that serves several domains from one address is told
// apart by the number that it calls.
const directory::Trunk* Switchboard::trunk_of(const signaling::InviteReceived& invite) const {
  const auto trunks = parts_.directory.trusted_trunks(invite.source.peer.address);
  for (const directory::Trunk* trunk : trunks) {
    if (parts_.directory.find_subscriber(trunk->domain_id, invite.request_user) != nullptr) return trunk;
  }
  return trunks.empty() ? nullptr : trunks.front();
}

// The session of a token that may be presented; nothing otherwise, and the peer learns no more than that.
const Session* Switchboard::valid_session(const signaling::InviteReceived& invite) const {
  const Session* session = parts_.sessions.find(invite.session_token);
  if (session == nullptr || session->token_state != TokenState::kFree) return nullptr;
  const auto* domain = parts_.directory.find_domain(invite.session_domain);
  const auto* subscriber = parts_.directory.subscriber(session->subscriber_id);
  if (domain == nullptr || domain->id != session->domain_id || subscriber == nullptr || !subscriber->active)
    return nullptr;
  return session;
}

void Switchboard::admit_token(const signaling::InviteReceived& invite) {
  const Session* session = valid_session(invite);
  if (session != nullptr && session->direction == sessions::Direction::kOutgoing)
    return admit_outgoing(invite, *session);
  if (session == nullptr) return reject(invite, 403, "Forbidden");
  if (calls_by_token_.contains(session->token)) return pick_up(invite, session->token);

  // No call waits under the token yet: it is the call itself, if a trunk brings it.
  const directory::Trunk* trunk = trunk_of(invite);
  if (trunk == nullptr || trunk->domain_id != session->domain_id) return reject(invite, 403, "Forbidden");
  admit_trunk(invite, *trunk, parts_.sessions.find(session->token));
}

records::CallRecord Switchboard::draft(const signaling::InviteReceived& invite,
                                       const directory::Domain* domain, const std::string& direction) const {
  records::CallRecord record{.id = random_hex(16),
                             .node = config_.node,
                             .direction = direction,
                             .from = invite.from_user,
                             .to = invite.request_user};
  record.start = wall_now();
  record.started_at = monotonic_now();
  if (domain != nullptr) {
    record.tenant_id = domain->tenant_id;
    record.domain_id = domain->id;
    record.domain = domain->name;
  }
  return record;
}

void Switchboard::admit_outgoing(const signaling::InviteReceived& invite, const Session& session) {
  const directory::Domain& domain = *parts_.directory.domain(session.domain_id);
  log::info(session.token, "{} dials {} (its INVITE says {})", session.msisdn, session.remote,
            invite.request_user);

  calls::CallSetup setup{.id = next_call_++,
                         .invite = invite,
                         .from_host = domain.name,
                         .time_limit_s = session.time_limit_s,
                         .call_timeout = domain.profile.call_timeout,
                         .record = draft(invite, &domain, "outgoing")};
  setup.caller_id = session.caller_id.empty() ? session.msisdn : session.caller_id;
  setup.record.session = session.token;
  setup.record.subscriber_id = session.subscriber_id;
  setup.record.from = session.msisdn;
  setup.record.to = session.remote;
  setup.record.caller_id = setup.caller_id;

  Entry entry{.token = session.token};
  const directory::Subscriber* callee =
      session.routing_json.empty() ? parts_.directory.find_subscriber(domain.id, session.remote) : nullptr;
  if (callee != nullptr && callee->active) {  // one of ours: their app is notified as for a call from outside
    const Session* incoming = parts_.sessions.make_incoming(domain, *callee, session.msisdn, setup.caller_id);
    if (incoming == nullptr) return reject(invite, 503, "Service Unavailable");
    setup.kind = calls::CallKind::kParked;
    setup.has_backend = has_backend(domain);
    entry.asks_application = !domain.profile.routing_application.empty();
    entry.linked_token = session.token;
    entry.token = incoming->token;
    entry.subscriber_id = callee->id;
    entry.dnid = callee->msisdn;
  } else if (!session.routing_json.empty()) {
    if (auto plan = calls::parse_routing_plan(session.routing_json)) setup.plan = std::move(*plan);
  } else {
    setup.plan = calls::plan_by_trunks(parts_.directory, domain.id, session.remote);
  }
  entry.call = std::make_unique<calls::Call>(std::move(setup));
  begin(std::move(entry), TokenState::kUsed, {});
}

void Switchboard::admit_trunk(const signaling::InviteReceived& invite, const directory::Trunk& trunk,
                              Session* named) {
  const directory::Domain& domain = *parts_.directory.domain(trunk.domain_id);
  const directory::Subscriber* subscriber = parts_.directory.find_subscriber(domain.id, invite.request_user);
  calls::CallSetup setup{.id = next_call_++,
                         .kind = calls::CallKind::kParked,
                         .invite = invite,
                         .caller_id = invite.from_user,
                         .from_host = domain.name,
                         .call_timeout = domain.profile.call_timeout,
                         .has_backend = has_backend(domain),
                         .latches_to_anyone = trunk.latches_to_anyone,
                         .record = draft(invite, &domain, "incoming")};
  setup.record.caller_id = invite.from_user;
  std::optional<Refusal> refusal;
  Entry entry{.asks_application = !domain.profile.routing_application.empty()};
  if (subscriber == nullptr) {
    refusal = Refusal{404, LocalCause::kUnknownNumber, "unknown-number"};
  } else if (!subscriber->active) {
    refusal = Refusal{480, LocalCause::kSubscriberInactive, "subscriber-inactive"};
  } else {
    const bool uses_named = named != nullptr && named->subscriber_id == subscriber->id;
    Session* session =
        uses_named ? named
                   : parts_.sessions.make_incoming(domain, *subscriber, invite.from_user, invite.from_user);
    if (session == nullptr) return reject(invite, 503, "Service Unavailable", {{"Retry-After", "10"}});
    entry.token = session->token;
    setup.time_limit_s = session->time_limit_s;
    setup.record.session = session->token;
  }
  if (subscriber != nullptr) {
    entry.subscriber_id = setup.record.subscriber_id.emplace(subscriber->id);
    entry.dnid = subscriber->msisdn;
  }
  log::info(entry.token, "{} calls {} over trunk {}", invite.from_user, invite.request_user, trunk.name);
  entry.call = std::make_unique<calls::Call>(std::move(setup));
  begin(std::move(entry), TokenState::kFree, std::move(refusal));
}

// Nothing leaves before the journal has the call and the store knows that its token was presented: whatever
// happens then, there will be one record, and no second call under the token. `state`: of the token that was
// presented; a call that waits to be picked up leaves its own free.
void Switchboard::begin(Entry entry, TokenState state, std::optional<Refusal> refusal) {
  const std::uint64_t id = entry.call->id();
  const records::CallRecord record = entry.call->record();
  const std::string call_id = record.call_ids.front();
  const auto tokens =
      std::array{std::pair{entry.token, entry.linked_token.empty() ? state : TokenState::kFree},
                 std::pair{entry.linked_token, state}};
  add_dialog(entry, entry.call->caller_dialog());
  if (!entry.token.empty()) calls_by_token_[entry.token] = id;
  if (!entry.linked_token.empty()) calls_by_token_[entry.linked_token] = id;
  entry.waits_for = 1 + (entry.token.empty() ? 0 : 1) + (entry.linked_token.empty() ? 0 : 1);
  entry.refusal = std::move(refusal);
  wait_for_store(entries_.emplace(id, std::move(entry)).first->second);
  for (const auto& [token, token_state] : tokens) {
    if (!token.empty())
      parts_.sessions.admit_call(token, call_id, token_state, [this, id] { note_stored(id); });
  }
  parts_.journal.start(record, [this, id](bool written) {
    boost::asio::post(parts_.context, [this, id, written] {
      const auto found = entries_.find(id);
      if (found == entries_.end()) return;
      found->second.is_journaled = written;
      note_stored(id);
    });
  });
}

void Switchboard::note_stored(std::uint64_t id) {
  const auto found = entries_.find(id);
  if (found != entries_.end() && --found->second.waits_for == 0) start(found->second);
}

// A database that is slow or down holds up no call: the journal has it, and memory knows that its token is
// taken.
void Switchboard::wait_for_store(Entry& entry) {
  entry.admission_timer = std::make_unique<boost::asio::steady_timer>(parts_.context, kLongestAdmission);
  entry.admission_timer->async_wait([this, id = entry.call->id()](boost::system::error_code failure) {
    const auto found = entries_.find(id);
    if (failure || found == entries_.end()) return;
    if (!found->second.is_journaled) return wait_for_store(found->second);
    log::warn(found->second.token, "the store is slow: the call goes on before it is committed");
    start(found->second);
  });
}

void Switchboard::start(Entry& entry) {
  if (std::exchange(entry.admission_timer, nullptr) == nullptr) return;  // it was started already
  calls::CallActions actions;
  calls::Call& call = *entry.call;
  if (!*entry.is_journaled) {
    call.refuse(503, LocalCause::kStoreFailure, "journal-failure", monotonic_now(), wall_now(), actions);
  } else if (entry.refusal) {
    const Refusal& refusal = *entry.refusal;
    call.refuse(refusal.status, refusal.cause, refusal.reason, monotonic_now(), wall_now(), actions);
  } else {
    call.start(monotonic_now(), wall_now(), actions);
  }
  run(entry, std::move(actions));
}

void Switchboard::pick_up(const signaling::InviteReceived& invite, const std::string& token) {
  const std::uint64_t id = calls_by_token_.at(token);
  if (!entries_.at(id).call->is_waiting_for_pick_up()) return reject(invite, 403, "Forbidden");
  log::info(token, "picked up from {}", to_string(invite.source.peer));
  parts_.sessions.set_token_state(token, TokenState::kReserved);
  parts_.sessions.add_call_id(token, invite.call_id);
  add_dialog(entries_.at(id), invite.dialog);
  deliver(id, calls::PickUp{invite});
}

// ---- events and actions ----

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
    if (const auto* invite = std::get_if<signaling::SendInvite>(command)) add_dialog(entry, invite->dialog);
    return send(*command);
  }
  if (const auto* open = std::get_if<calls::OpenLeg>(&action)) return open_leg(entry, *open, more);
  if (const auto* media = std::get_if<calls::ConfigureLegMedia>(&action)) {
    const bool is_safe = parts_.media.configure_leg(*entry.bridge, media->side, media->config);
    if (!is_safe) entry.call->on(calls::MediaRefused{}, monotonic_now(), wall_now(), more);
    return;
  }
  if (std::holds_alternative<calls::StartMedia>(action)) return parts_.media.start(*entry.bridge);
  if (std::holds_alternative<calls::NotifyBackend>(action)) return notify_backend(entry);
  if (const auto* status = std::get_if<calls::SetStatus>(&action)) return set_status(entry, status->status);
  if (std::holds_alternative<calls::ReleaseToken>(action))
    return parts_.sessions.set_token_state(entry.token, TokenState::kFree);
  if (std::holds_alternative<calls::ConsumeToken>(action)) return parts_.sessions.consume(entry.token);
  if (std::holds_alternative<calls::Ended>(action)) return finish(entry);
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
  const auto local = parts_.media.open_leg(*entry.bridge, action.side, action.family);
  if (!local) log::warn(entry.token, "no media for a leg: {}", local.error());
  entry.call->on(calls::LegOpened{action.side, local ? std::optional(*local) : std::nullopt}, monotonic_now(),
                 wall_now(), more);
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

void Switchboard::shut_down() {
  is_shutting_down_ = true;
  std::vector<std::uint64_t> open;
  for (const auto& [id, entry] : entries_) open.push_back(id);
  for (const std::uint64_t id : open) deliver(id, calls::Shutdown{});
}

// ---- the control endpoint ----

void Switchboard::notify_backend(Entry& entry) {
  const Session* session = parts_.sessions.find(entry.token);
  const auto* subscriber = parts_.directory.subscriber(entry.subscriber_id);
  const auto* domain = session != nullptr ? parts_.directory.domain(session->domain_id) : nullptr;
  if (session == nullptr || subscriber == nullptr || domain == nullptr) return;
  boost::json::object body{{"dnid", entry.dnid},
                           {"caller-id", session->caller_id},
                           {"session", session->token},
                           {"subscriber", boost::json::parse(to_json(directory::Entry(*subscriber)))},
                           {"domain-id", domain->id},
                           {"domain", domain->name},
                           {"endpoint", config_.public_url}};
  ++entry.backend_tries;
  const directory::DomainProfile& profile = domain->profile;
  parts_.webhooks.post(
      {.url = entry.asks_application ? profile.routing_application : profile.control_endpoint,
       .body = boost::json::serialize(body),
       .id = entry.token + "-notification",
       .secret = profile.webhook_secret,
       .timestamp = wall_now(),
       .wants_body = entry.asks_application},
      [this, id = entry.call->id()](const webhooks::Answer& answer) { on_backend_answered(id, answer); });
}

// What an application asks for; of a control endpoint its code alone counts.
calls::BackendAnswered Switchboard::instructions_of(Entry& entry, const webhooks::Answer& answer) {
  const calls::BackendOutcome outcome = outcome_of(answer.status);
  if (!entry.asks_application || outcome != calls::BackendOutcome::kPark) return {.outcome = outcome};
  auto instructions = calls::parse_call_instructions(answer.body);
  std::string fault = instructions ? "" : instructions.error();
  if (instructions && !instructions->session.empty() && !park_under(entry, instructions->session))
    fault = "`session` is no fresh token of an incoming session of the called subscriber";
  if (fault.empty()) return std::move(instructions->what);
  log::warn(entry.token, "the call routing application's answer cannot be followed: {}", fault);
  parts_.sessions.set_last_error(entry.token, "call-routing-application: " + fault);
  return {.outcome = calls::BackendOutcome::kForbidden};
}

// The application made a session of its own for the call: that takes the place of ours.
bool Switchboard::park_under(Entry& entry, const std::string& token) {
  if (token == entry.token) return true;
  const Session* session = parts_.sessions.find(token);
  const bool is_fresh = session != nullptr && session->direction == sessions::Direction::kIncoming &&
                        session->subscriber_id == entry.subscriber_id &&
                        session->token_state == TokenState::kFree && session->call_ids.empty();
  if (!is_fresh) return false;
  const std::uint64_t id = entry.call->id();
  calls_by_token_.erase(entry.token);
  parts_.sessions.end(entry.token, "CANCELLED", "replaced-by-application");
  entry.token = token;
  calls_by_token_[token] = id;
  records::CallRecord& record = entry.call->record();
  record.session = token;
  parts_.sessions.admit_call(token, record.call_ids.front(), TokenState::kFree, [] {});
  parts_.journal.update(record);
  deliver(id, calls::TimeLimitChanged{session->time_limit_s});
  return true;
}

void Switchboard::on_backend_answered(std::uint64_t call, const webhooks::Answer& answer) {
  const auto found = entries_.find(call);
  if (found == entries_.end() || found->second.call->is_ended()) return;
  Entry& entry = found->second;
  const char* who = entry.asks_application ? "call routing application" : "control endpoint";
  log::info(entry.token, "the {} answered {} {}", who, answer.status, answer.error);
  if (answer.status / 100 != 2)
    parts_.sessions.set_last_error(entry.token, std::string(who) + ": " + answer.error);
  const bool is_final = outcome_of(answer.status) != calls::BackendOutcome::kUnreachable ||
                        answer.is_refused || entry.backend_tries >= kBackendTries;
  if (is_final) return deliver(call, instructions_of(entry, answer));
  entry.backend_timer = std::make_unique<boost::asio::steady_timer>(
      parts_.context, kBackendBackoff * (1 << (entry.backend_tries - 1)));
  entry.backend_timer->async_wait([this, call](boost::system::error_code failure) {
    const auto waiting = entries_.find(call);
    if (!failure && waiting != entries_.end() && !waiting->second.call->is_ended())
      notify_backend(waiting->second);
  });
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
