// Which INVITE becomes a call, and what must be on disk before it does.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <iterator>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "signaling/sip/reason_phrase.h"
#include "vas/control/call_controller.h"

namespace vas::control {
namespace {

using records::LocalCause;
using sessions::Session;
using sessions::TokenState;

// T1: a caller repeats its INVITE then. The journal is waited for in any case, the store no longer than this.
constexpr auto kLongestAdmission = std::chrono::milliseconds(500);

constexpr const char* kRetryAfter = "5";  // seconds, of who has used up a share

bool has_backend(const directory::Domain& domain) {
  return !domain.profile.control_endpoint.empty() || !domain.profile.routing_application.empty();
}

}  // namespace

void CallController::reject(const signaling::InviteReceived& invite, int status,
                            std::vector<signaling::Header> headers) {
  log::info(invite.session_token, "INVITE from {} refused with {} {}", to_string(invite.source.peer), status,
            signaling::reason_phrase(status));
  send(signaling::RespondToInvite{invite.dialog, status, "", std::move(headers)});
}

void CallController::admit(const signaling::InviteReceived& invite) {
  if (!invite.unsupported_extensions.empty()) {
    return reject(invite, 420, {{"Unsupported", invite.unsupported_extensions}});
  }
  if (is_shutting_down_) return reject(invite, 503, {{"Retry-After", "10"}});
  if (!invite.session_token.empty()) return admit_token(invite);
  const directory::Trunk* trunk = trunk_of(invite);
  if (trunk == nullptr) return reject(invite, 403);
  admit_trunk(invite, *trunk, nullptr);
}

// The trunk that trusts the INVITE's source. A carrier that serves several domains from one address is told
// apart by the number that it calls; where several have that number,
// by the domain that the Request-URI names.
const directory::Trunk* CallController::trunk_of(const signaling::InviteReceived& invite) const {
  const auto trunks = parts_.directory.trusted_trunks(invite.source.peer.address);
  const directory::Domain* named = parts_.directory.find_domain(invite.request_host);
  const directory::Trunk* has_number = nullptr;
  for (const directory::Trunk* trunk : trunks) {
    if (parts_.directory.find_subscriber(trunk->domain_id, invite.request_user) == nullptr) continue;
    if (named != nullptr && named->id == trunk->domain_id) return trunk;
    if (has_number == nullptr) has_number = trunk;
  }
  if (has_number != nullptr) return has_number;
  return trunks.empty() ? nullptr : trunks.front();
}

// The trunk of that domain that trusts the INVITE's source.
const directory::Trunk* CallController::trunk_of(const signaling::InviteReceived& invite,
                                                 std::int64_t domain_id) const {
  for (const directory::Trunk* trunk : parts_.directory.trusted_trunks(invite.source.peer.address)) {
    if (trunk->domain_id == domain_id) return trunk;
  }
  return nullptr;
}

// The session of a token that may be presented; nothing otherwise, and the peer learns no more than that.
const Session* CallController::valid_session(const signaling::InviteReceived& invite) const {
  const Session* session = parts_.sessions.find(invite.session_token);
  const bool is_ours = session != nullptr && session->node == config_.node;
  if (!is_ours || session->token_state != TokenState::kFree) return nullptr;
  // The token is its own proof; who names the domain as well must name the right one.
  const auto* domain = invite.session_domain.empty() ? parts_.directory.domain(session->domain_id)
                                                     : parts_.directory.find_domain(invite.session_domain);
  const auto* subscriber = parts_.directory.subscriber(session->subscriber_id);
  if (domain == nullptr || domain->id != session->domain_id || subscriber == nullptr || !subscriber->active)
    return nullptr;
  return session;
}

void CallController::admit_token(const signaling::InviteReceived& invite) {
  const Session* session = valid_session(invite);
  if (session != nullptr && session->direction == sessions::Direction::kOutgoing)
    return admit_outgoing(invite, *session);
  if (session == nullptr) return reject(invite, 403);
  if (calls_by_token_.contains(session->token)) return pick_up(invite, session->token);

  // No call waits under the token yet: it is the call itself, if a trunk brings it.
  const directory::Trunk* trunk = trunk_of(invite, session->domain_id);
  if (trunk == nullptr) return reject(invite, 403);
  admit_trunk(invite, *trunk, parts_.sessions.find(session->token));
}

records::CallRecord CallController::draft(const signaling::InviteReceived& invite,
                                          const directory::Domain& domain,
                                          const std::string& direction) const {
  records::CallRecord record{.id = random_hex(16),
                             .node = config_.node,
                             .direction = direction,
                             .from = invite.from_user,
                             .to = invite.request_user};
  record.start = wall_now();
  record.started_at = monotonic_now();
  record.tenant_id = domain.tenant_id;
  record.domain_id = domain.id;
  record.domain = domain.name;
  return record;
}

// What is the same for every call of a domain; the caller is taken for one of its subscribers.
calls::CallSetup CallController::draft_setup(const signaling::InviteReceived& invite,
                                             const directory::Domain& domain, const std::string& direction) {
  return {.id = next_call_++,
          .invite = invite,
          .route_timeouts = domain.profile.route_timeouts,
          .from_host = domain.name,
          .call_timeout = domain.profile.call_timeout,
          .hold_timeout = domain.profile.hold_timeout.value_or(config_.hold_timeout),
          .far_ends = config_.far_ends,
          .symmetric_media = domain.profile.symmetric,
          .symmetric_pick_up = domain.profile.symmetric,
          .caller_encryption = domain.profile.media_encryption,
          .pick_up_encryption = domain.profile.media_encryption,
          .ice = config_.ice,
          .trusts_plain_signaling = config_.trusts_plain_signaling,
          .fingerprint = parts_.media.fingerprint(),
          .record = draft(invite, domain, direction)};
}

void CallController::admit_outgoing(const signaling::InviteReceived& invite, const Session& session) {
  const directory::Domain& domain = *parts_.directory.domain(session.domain_id);
  auto shares = shares_of(domain, nullptr);
  // The token stays as it is: it may be presented again.
  if (const auto refusal = claim_shares(shares)) {
    log::warn(session.token, "not admitted: {}", refusal->reason);
    return reject(invite, refusal->status, {{"Retry-After", kRetryAfter}});
  }
  log::info(session.token, "{} dials {} (its INVITE says {})", session.msisdn, session.remote,
            invite.request_user);

  calls::CallSetup setup = draft_setup(invite, domain, "outgoing");
  setup.time_limit_s = session.time_limit_s;
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
      return reject(invite, 503, {{"Retry-After", kRetryAfter}});
    }
    setup.kind = calls::CallKind::kParked;
    setup.has_backend = has_backend(domain);
    setup.backend_timeout = config_.backend_timeout;
    entry.asks_application = !domain.profile.routing_application.empty();
    entry.linked_token = session.token;
    entry.token = incoming->token;
    entry.subscriber_id = callee->id;
    entry.dnid = callee->msisdn;
  } else if (!session.routing_json.empty()) {
    if (auto plan = routing::parse_routing_plan(session.routing_json)) setup.plan = std::move(*plan);
    routing::adopt_rules_of_trunks(parts_.directory, domain.id, setup.plan);
  } else {
    setup.plan = routing::plan_by_trunks(parts_.directory, domain.id, session.remote);
  }
  entry.call = std::make_unique<calls::Call>(std::move(setup));
  begin(std::move(entry), TokenState::kUsed, {});
}

void CallController::remember_number(const signaling::InviteReceived& invite, const directory::Domain& domain,
                                     Entry& entry) const {
  const auto parent = calls_by_dialog_.find(invite.returned_from.value);
  if (parent != calls_by_dialog_.end()) {
    if (const auto found = entries_.find(parent->second); found != entries_.end())
      entry.came_for = found->second.came_for;
  }
  entry.came_for.push_back(std::to_string(domain.id) + "/" + invite.request_user);
}

// A carrier that is a proxy brings our own INVITE back where the number that we call is one that it leads to
// us: for another subscriber, as it should, or for the one whose application sent it out. What carriers that
// are no proxies bring round ends by its Max-Forwards.
bool CallController::goes_round(const Entry& entry) {
  // Each has another number: a call that goes so often through us will not arrive.
  constexpr std::size_t kMostReturns = 8;
  if (entry.came_for.empty()) return false;
  const auto own = std::prev(entry.came_for.end());
  return std::find(entry.came_for.begin(), own, *own) != own || entry.came_for.size() > kMostReturns;
}

void CallController::admit_trunk(const signaling::InviteReceived& invite, const directory::Trunk& trunk,
                                 Session* named) {
  const directory::Domain& domain = *parts_.directory.domain(trunk.domain_id);
  const directory::Subscriber* subscriber = parts_.directory.find_subscriber(domain.id, invite.request_user);
  // Only those that the system knows speak for their callers (RFC 3325 §5).
  calls::CallerIdentity identity = trunk.trusted ? calls::identity_of(invite) : calls::CallerIdentity{};
  const std::string caller_id = calls::shown_caller(invite.from_user, identity);
  calls::CallSetup setup = draft_setup(invite, domain, "incoming");
  setup.kind = calls::CallKind::kParked;
  setup.caller_id = caller_id;
  setup.caller_identity = std::move(identity);
  setup.has_backend = has_backend(domain);
  setup.backend_timeout = config_.backend_timeout;
  setup.latches_to_anyone = trunk.latches_to_anyone;
  setup.reaches_private = trunk.reaches_private;
  setup.symmetric_media = trunk.symmetric;
  setup.caller_encryption = trunk.media_encryption;
  setup.caller_ice = trunk.ice;
  setup.record.caller_id = caller_id;
  Entry entry{.asks_application = !domain.profile.routing_application.empty(),
              .shares = shares_of(domain, &trunk)};
  remember_number(invite, domain, entry);
  std::optional<Refusal> refusal =
      goes_round(entry) ? Refusal{482, LocalCause::kLoop, "loop"} : claim_shares(entry.shares);
  if (refusal) {
    entry.shares.clear();
  } else if (subscriber == nullptr) {
    refusal = Refusal{404, LocalCause::kUnknownNumber, "unknown-number"};
  } else if (!subscriber->active) {
    refusal = Refusal{480, LocalCause::kSubscriberInactive, "subscriber-inactive"};
  } else {
    const bool uses_named = named != nullptr && named->subscriber_id == subscriber->id;
    // The backend is of the called party: who keeps himself from it does so in every field.
    const auto& origination = setup.caller_identity.withholds_caller() ? caller_id : invite.from_user;
    Session* session =
        uses_named ? named : parts_.sessions.make_incoming(domain, *subscriber, origination, caller_id);
    if (session == nullptr) {
      refusal = Refusal{503, LocalCause::kShareUsedUp, "domain-sessions"};
    } else {
      entry.token = session->token;
      setup.time_limit_s = session->time_limit_s;
      setup.call_timeout = call_timeout_of(*session, domain);
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
void CallController::begin(Entry entry, TokenState state, std::optional<Refusal> refusal) {
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
      parts_.sessions.admit_call(token, call_id, token_state, [this, id] { on_stored(id); });
  }
  parts_.journal.start(record, [this, id](bool written) {
    boost::asio::post(parts_.context, [this, id, written] {
      const auto found = entries_.find(id);
      if (found == entries_.end()) return;
      found->second.is_journaled = written;
      on_stored(id);
    });
  });
}

void CallController::on_stored(std::uint64_t id) {
  const auto found = entries_.find(id);
  if (found != entries_.end() && --found->second.waits_for == 0) start(found->second);
}

// A database that is slow or down holds up no call:
// the journal has it, and memory knows that its token is taken.
void CallController::wait_for_store(Entry& entry) {
  entry.admission_timer = std::make_unique<boost::asio::steady_timer>(parts_.context, kLongestAdmission);
  entry.admission_timer->async_wait([this, id = entry.call->id()](boost::system::error_code failure) {
    const auto found = entries_.find(id);
    if (failure || found == entries_.end()) return;
    if (!found->second.is_journaled) return wait_for_store(found->second);
    log::warn(found->second.token, "the store is slow: the call goes on before it is committed");
    start(found->second);
  });
}

void CallController::start(Entry& entry) {
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

void CallController::pick_up(const signaling::InviteReceived& invite, const std::string& token) {
  const std::uint64_t id = calls_by_token_.at(token);
  if (!entries_.at(id).call->is_waiting_for_pick_up()) return reject(invite, 403);
  log::info(token, "picked up from {}", to_string(invite.source.peer));
  parts_.sessions.set_token_state(token, TokenState::kReserved);
  parts_.sessions.add_call_id(token, invite.call_id);
  add_dialog(entries_.at(id), invite.dialog);
  deliver(id, calls::PickUp{invite});
}

}  // namespace vas::control
