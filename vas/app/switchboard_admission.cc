// Which INVITE becomes a call, and what must be on disk before it does.
#include <boost/asio/post.hpp>
#include <utility>

#include "vas/app/switchboard.h"
#include "vas/base/clock.h"
#include "vas/base/log.h"
#include "vas/base/random.h"

namespace vas::app {
namespace {

using records::LocalCause;
using sessions::Session;
using sessions::TokenState;

constexpr auto kLongestAdmission = std::chrono::milliseconds(500);

constexpr const char* kRetryAfter = "5";  // seconds, of who has used up a share

bool has_backend(const directory::Domain& domain) {
  return !domain.profile.control_endpoint.empty() || !domain.profile.routing_application.empty();
}

}  // namespace

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
  const bool is_ours = session != nullptr && session->node == config_.node;
  if (!is_ours || session->token_state != TokenState::kFree) return nullptr;
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
  auto shares = shares_of(domain, nullptr);
  // The token stays as it is: it may be presented again.
  if (const auto refusal = take_shares(shares)) {
    log::warn(session.token, "not admitted: {}", refusal->reason);
    return reject(invite, refusal->status, "Service Unavailable", {{"Retry-After", kRetryAfter}});
  }
  log::info(session.token, "{} dials {} (its INVITE says {})", session.msisdn, session.remote,
            invite.request_user);

  calls::CallSetup setup{.id = next_call_++,
                         .invite = invite,
                         .from_host = domain.name,
                         .time_limit_s = session.time_limit_s,
                         .call_timeout = domain.profile.call_timeout,
                         .far_ends = config_.far_ends,
                         .symmetric_media = domain.profile.symmetric,
                         .symmetric_pick_up = domain.profile.symmetric,
                         .caller_encryption = domain.profile.media_encryption,
                         .pick_up_encryption = domain.profile.media_encryption,
                         .ice = config_.ice,
                         .trusts_plain_signaling = config_.trusts_plain_signaling,
                         .fingerprint = parts_.media.fingerprint(),
                         .record = draft(invite, &domain, "outgoing")};
  setup.caller_id = session.caller_id.empty() ? session.msisdn : session.caller_id;
  setup.record.session = session.token;
  setup.record.subscriber_id = session.subscriber_id;
  setup.record.from = session.msisdn;
  setup.record.to = session.remote;
  setup.record.caller_id = setup.caller_id;

  Entry entry{.token = session.token, .shares = std::move(shares)};
  const directory::Subscriber* callee =
      session.routing_json.empty() ? parts_.directory.find_subscriber(domain.id, session.remote) : nullptr;
  if (callee != nullptr && callee->active) {  // one of ours: their app is notified as for a call from outside
    const Session* incoming = parts_.sessions.make_incoming(domain, *callee, session.msisdn, setup.caller_id);
    if (incoming == nullptr) {
      give_back_shares(entry);
      return reject(invite, 503, "Service Unavailable", {{"Retry-After", kRetryAfter}});
    }
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
                         .reaches_private = trunk.reaches_private,
                         .far_ends = config_.far_ends,
                         .symmetric_media = trunk.symmetric,
                         .symmetric_pick_up = domain.profile.symmetric,
                         .caller_encryption = trunk.media_encryption,
                         .pick_up_encryption = domain.profile.media_encryption,
                         .ice = config_.ice,
                         .caller_ice = trunk.ice,
                         .trusts_plain_signaling = config_.trusts_plain_signaling,
                         .fingerprint = parts_.media.fingerprint(),
                         .record = draft(invite, &domain, "incoming")};
  setup.record.caller_id = invite.from_user;
  Entry entry{.asks_application = !domain.profile.routing_application.empty(),
              .shares = shares_of(domain, &trunk)};
  std::optional<Refusal> refusal = take_shares(entry.shares);
  if (refusal) {
    entry.shares.clear();
  } else if (subscriber == nullptr) {
    refusal = Refusal{404, LocalCause::kUnknownNumber, "unknown-number"};
  } else if (!subscriber->active) {
    refusal = Refusal{480, LocalCause::kSubscriberInactive, "subscriber-inactive"};
  } else {
    const bool uses_named = named != nullptr && named->subscriber_id == subscriber->id;
    Session* session =
        uses_named ? named
                   : parts_.sessions.make_incoming(domain, *subscriber, invite.from_user, invite.from_user);
    if (session == nullptr) {
      refusal = Refusal{503, LocalCause::kShareUsedUp, "domain-sessions"};
    } else {
      entry.token = session->token;
      setup.time_limit_s = session->time_limit_s;
      setup.record.session = session->token;
    }
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

}  // namespace vas::app
