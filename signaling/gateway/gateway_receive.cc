// What the network sends: what passes to a stack or another node, and what is responded to here.
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/clock.h"
#include "signaling/gateway/gateway_impl.h"
#include "signaling/gateway/policy/guard.h"
#include "signaling/gateway/policy/keep_alive.h"
#include "signaling/gateway/policy/options_response.h"
#include "signaling/gateway/policy/proof_question.h"

namespace vas::signaling {

namespace asio = boost::asio;

namespace {

// A few minutes' INVITEs (kForwardedMemory) at two hundred a second.
constexpr std::size_t kMaxForwarded = 65536;
constexpr std::size_t kMaxLookUps = 64;  // at once
// 128 bits in hex: what is no token of ours is not looked up.
constexpr std::size_t kTokenDigits = 32;

// An unproved source gets no more than it sent, give or take: nobody is to be flooded through us.
bool amplifies(std::size_t response_bytes, std::size_t request_bytes) {
  return 10 * response_bytes > 13 * request_bytes;
}

}  // namespace

Welcome GatewayImpl::welcome(const IpAddress& peer) { return judge_.welcome(peer, monotonic_now()); }

bool GatewayImpl::on_message(std::string_view text, const Flow& source) {
  thread_check_.check();
  // What stands before a start line is of no meaning (RFC 3261 §7.5), in one datagram with it too.
  text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
  if (is_keep_alive(text)) return respond_to_keep_alive(text, source);
  ++counters_.received;
  const bool is_too_large = text.size() > SipMessage::kMaxBytes;
  // Of one that is too large its head is enough to say so.
  const auto message = SipMessage::parse(is_too_large ? text.substr(0, SipMessage::kMaxBytes) : text);
  if (!message) {
    ++counters_.dropped;
    offend(source, Offence::kMalformed);
    return false;
  }
  return message->is_request() ? receive_request(*message, text, source)
                               : receive_response(*message, text, source);
}

// STUN alone is responded to here; connections respond to theirs.
bool GatewayImpl::respond_to_keep_alive(std::string_view text, const Flow& source) {
  if (has_connections(source.transport)) return false;
  std::string response = stun_response(text, source.peer);
  const bool may_respond =
      !response.empty() && (judge_.is_proved(source) || !amplifies(response.size(), text.size()));
  const Time now = monotonic_now();
  if (!may_respond || judge_.is_banned(source, now) || !judge_.accepts_refusal(source, now)) return false;
  transports_.send(source, std::move(response));
  return true;
}

bool GatewayImpl::receive_response(const SipMessage& response, std::string_view text, const Flow& source) {
  const Time now = monotonic_now();
  if (responds_to_proof_question(response, source, signer_, now)) {
    judge_.proved().remember(source.peer, now);
    return true;
  }
  const auto refused = check_response(response);
  const bool is_good = !refused && text.size() <= SipMessage::kMaxBytes;
  const auto edited = is_good ? editor_->response_to_stack(response, source) : std::nullopt;
  if (is_good && !edited && !config_.cluster_secret.empty()) {
    // To what this gateway forwarded; its branch says for whom.
    const auto via = Via::parse(first_element(value_of(response, HeaderName::kVia)));
    if (auto outbound = editor_->response_to_peer(response, transactions_.flow_of(via->branch))) {
      ++counters_.forwarded;
      sender_->send_response(response, text, std::move(*outbound));
      return true;
    }
  }
  if (!edited) {
    ++counters_.dropped;
    return false;
  }
  sender_->remember_responded(response);
  if (edited->proves_source) {
    if (!has_connections(source.transport)) judge_.proved().remember(source.peer, now);
    gate_.learn_party(response, source, now);
  }
  tap_.keep(response, text, source, true);
  link_.send(edited->stack, edited->text);
  return true;
}

// True when it deserved more than a refusal.
bool GatewayImpl::receive_request(const SipMessage& request, std::string_view text, const Flow& source) {
  const Time now = monotonic_now();
  const bool is_new = !has_to_tag(request);
  const bool is_exempt = judge_.exempts(source);
  const std::string branch = editor_->branch_of(request, source);
  if (is_new && judge_.is_kept_out(request, branch, source, now)) {
    ++counters_.banned;
    judge_.count_dropped(source);
    return false;
  }
  // The source pays before its message is looked into: what is well-formed may be costly all the same.
  const bool is_metered = !is_exempt && (is_new || !gate_.knows(request, now));
  if (is_metered && !judge_.accepts_request(request, branch, source, now)) {
    ++counters_.limited;
    return false;
  }
  if (const auto refused = check_request(request, text.size())) {
    if (refused->status != 405 && refused->status != 483) offend(source, Offence::kMalformed);
    refuse(request, source, *refused, text.size());
    return false;
  }
  if (passes_by(request, source)) return true;
  if (!is_new) {
    if (request.method() == "ACK" && is_ack_of_stateless_response(request, signer_)) return true;
    if (!may_be_in_dialog(request, text, source)) return false;
  } else if (!is_exempt && is_scanner(request)) {
    offend(source, Offence::kScanner);
    ++counters_.dropped;
    return false;
  } else if (request.method() == "OPTIONS") {
    refuse(request, source, respond_to_options(request), text.size());
    return true;
  } else if (!may_be_outside(request, branch, text, source)) {
    return false;
  }
  tap_.keep(request, text, source, true);
  std::string origin;
  if (judge_.is_node(source)) {
    if (const auto seen = relay_.origin_of(request))
      origin = fmt::format("{}: {} {}\r\n", kOriginHeader, to_string(seen->transport), to_string(seen->peer));
  }
  transactions_.remember(request, branch, source, now);
  link_.send(stack_of(request), editor_->request_to_stack(request, source, origin));
  return true;
}

bool GatewayImpl::may_be_in_dialog(const SipMessage& request, std::string_view text, const Flow& source) {
  const Time now = monotonic_now();
  switch (gate_.judge(request, source, judge_.exempts(source) || has_connections(source.transport), now)) {
    case DialogGate::Verdict::kPasses: return true;
    case DialogGate::Verdict::kNoResponse: ++counters_.no_dialog; return false;
    case DialogGate::Verdict::kOverBudget: ++counters_.limited; return false;
    case DialogGate::Verdict::kMustProve:
      ++counters_.unproved;
      ask_for_proof(source, text.size());
      return false;
    case DialogGate::Verdict::kNoDialog: break;
  }
  ++counters_.no_dialog;
  if (!judge_.is_banned(source, now)) refuse(request, source, {481}, text.size());
  return false;
}

// A CANCEL goes after an INVITE that was let in; the rest has a place in dialogs alone.
bool GatewayImpl::may_be_outside(const SipMessage& request, const std::string& branch, std::string_view text,
                                 const Flow& source) {
  const std::string_view method = request.method();
  if (method == "INVITE") {
    if (!transactions_.is_merged(request, branch)) return admits(request, branch, text, source);
    refuse(request, source, {482}, text.size());
    return false;
  }
  if (method == "CANCEL" && judge_.is_let_in(branch, monotonic_now())) return true;
  ++counters_.no_dialog;
  if (method != "ACK") refuse(request, source, {481}, text.size());
  return false;
}

// One question for one request: who responds has its request heard when it comes again.
void GatewayImpl::ask_for_proof(const Flow& source, std::size_t request_bytes) {
  const Time now = monotonic_now();
  std::string question = proof_question(source, contact_endpoint(source), signer_, now);
  if (amplifies(question.size(), request_bytes) || !judge_.ledger().accepts_refusal(source.peer.address, now))
    return;
  transports_.send(source, std::move(question));
}

// What belongs to a call at another node, in either direction.
bool GatewayImpl::passes_by(const SipMessage& request, const Flow& source) {
  if (config_.cluster_secret.empty()) return false;
  if (const auto flow = relay_.named_flow(request)) {
    if (judge_.is_node(source)) {
      forward(request, source, *flow, {contact_endpoint(*flow), false, true});
      return true;
    }
    // Our signature, from where we sent it to, is as good as our tag.
    if (flow->peer == source.peer && !has_connections(source.transport))
      judge_.proved().remember(source.peer, monotonic_now());
    const auto target = numeric_target(request, true);
    if (!target || !config_.admission->is_node(*target)) return false;
    const Flow next{Transport::kUdp, *target, 0};
    forward(request, source, next, {contact_endpoint(next), true, true});
    return true;
  }
  // CANCEL, and the ACK of a refusal, go after their INVITE.
  if (request.method() != "CANCEL" && request.method() != "ACK") return false;
  const auto sent = forwarded_.find(editor_->branch_of(request, source));
  if (sent == forwarded_.end()) return false;
  const Flow next{Transport::kUdp, sent->second.first, 0};
  forward(request, source, next, {contact_endpoint(next), true, false});
  return true;
}

void GatewayImpl::forward(const SipMessage& request, const Flow& source, const Flow& next,
                          NodeRelay::Way way) {
  ++counters_.forwarded;
  const std::string branch = editor_->branch_of(request, source);
  if (way.is_to_node && !way.drops_route && request.method() == "INVITE") {
    if (forwarded_.size() < kMaxForwarded)
      forwarded_.insert_or_assign(branch, std::pair(next.peer, monotonic_now()));
  }
  transactions_.remember(request, branch, source, monotonic_now());
  transports_.send(next,
                   relay_.forwarded(request, source, editor_->via_parameters(branch, source), next, way));
}

// A token that memory does not know may be one that another node has just made. Held until the store has said
// so, and then seen anew; a caller that asks for too many gets what memory knows.
bool GatewayImpl::look_up(std::string_view token, std::string_view text, const Flow& source) {
  if (looking_up_.contains(std::string(token)))
    return true;  // a retransmission: the one that is held will do
  const bool may_ask = config_.admission->looks_further() && looking_up_.size() < kMaxLookUps &&
                       look_ups_left_ != 0 && token.size() == kTokenDigits;
  if (!may_ask) return false;
  const Time now = monotonic_now();
  const bool was_asked = asked_.times_added(token, now) != 0;
  asked_.add(token, now);
  if (was_asked) return false;
  --look_ups_left_;
  looking_up_.insert(std::string(token));
  config_.admission->look_up_token(std::string(token),
                                   [this, asked = std::string(token), kept = std::string(text), source] {
                                     asio::post(context_, [this, asked, kept, source] {
                                       looking_up_.erase(asked);
                                       if (const auto request = SipMessage::parse(kept))
                                         (void)receive_request(*request, kept, source);
                                     });
                                   });
  return true;
}

// Whether a new INVITE may become a call. What was let in once is let in again: it is a retransmission.
bool GatewayImpl::admits(const SipMessage& request, const std::string& branch, std::string_view text,
                         const Flow& source) {
  const Time now = monotonic_now();
  if (judge_.was_admitted(branch)) return true;
  const HeaderField* token = request.first(HeaderName::kSessionToken);
  using Where = AdmissionCheck::TokenPlace::Where;
  AdmissionCheck::TokenPlace place;
  if (token != nullptr && config_.admission != nullptr) place = config_.admission->find_token(token->value);
  if (place.where == Where::kAtNode && !judge_.is_node(source)) {
    const Flow next{Transport::kUdp, place.node, 0};
    forward(request, source, next, {contact_endpoint(next), true, false});
    return false;
  }
  const bool may_call = config_.admission == nullptr || place.where == Where::kHere ||
                        (token == nullptr && config_.admission->is_trusted(source.peer.address));
  if (!may_call && token != nullptr && look_up(token->value, text, source)) return false;
  if (!may_call) {
    ++counters_.bad_tokens;
    offend(source, Offence::kBadToken);
    refuse(request, source, {403}, text.size());
    return false;
  }
  if (config_.sheds_load && shedder_.sheds(queue_age(stack_of(request), now))) {
    ++counters_.shed;
    refuse(request, source, {503, {}, shedder_.retry_after_s()}, text.size());
    return false;
  }
  if (dialogs_.is_full()) {
    ++counters_.shed;
    refuse(request, source, {503, {}, shedder_.retry_after_s()}, text.size());
    return false;
  }
  judge_.admit(branch, now);
  return true;
}

void GatewayImpl::refuse(const SipMessage& request, const Flow& source, const StatelessResponse& response,
                         std::size_t request_bytes) {
  if (response.status == 503 || response.status == 200) {
    // The caller waits for it: a busy server that says nothing is sent everything twice.
  } else if (response.status == 0 || !judge_.accepts_refusal(source, monotonic_now())) {
    ++counters_.dropped;
    return;
  }
  std::string text = stateless_response(request, source, response, signer_);
  const auto is_too_much = [&] { return !judge_.is_proved(source) && amplifies(text.size(), request_bytes); };
  if (!response.lines.empty() && is_too_much())
    text = stateless_response(request, source, {response.status, response.why}, signer_);
  if (is_too_much()) {
    ++counters_.dropped;
    return;
  }
  if (response.status != 503 && response.status != 403 && response.status != 200) ++counters_.refused;
  transports_.send(source, std::move(text));
}

void GatewayImpl::offend(const Flow& source, Offence offence) {
  if (judge_.offend(source, offence, monotonic_now()))
    asio::post(context_, [this, peer = source.peer.address] { transports_.drop(peer); });
}

std::size_t GatewayImpl::stack_of(const SipMessage& message) const {
  const HeaderField* call_id = message.first(HeaderName::kCallId);
  return stack_of_call(call_id != nullptr ? call_id->value : std::string_view(), link_.stacks());
}

}  // namespace vas::signaling
