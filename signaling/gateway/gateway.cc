#include "signaling/gateway/gateway.h"

#include <pthread.h>

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <map>
#include <set>
#include <thread>

#include "signaling/gateway/asio_endpoint.h"
#include "signaling/gateway/dialog_gate.h"
#include "signaling/gateway/guard.h"
#include "signaling/gateway/hep.h"
#include "signaling/gateway/hop_check.h"
#include "signaling/gateway/load_shedder.h"
#include "signaling/gateway/message_secrets.h"
#include "signaling/gateway/node_relay.h"
#include "signaling/gateway/options_answer.h"
#include "signaling/gateway/proof_question.h"
#include "signaling/gateway/recent_set.h"
#include "signaling/gateway/resolver.h"
#include "signaling/gateway/sip_message.h"
#include "signaling/gateway/stack_link.h"
#include "signaling/gateway/stateless_answer.h"
#include "signaling/gateway/via_editor.h"
#include "vas/base/clock.h"
#include "vas/base/log.h"
#include "vas/base/random.h"

namespace vas::signaling {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kMaxForwarded = 65536;
constexpr Duration kForwardedMemory = std::chrono::minutes(5);  // an INVITE may ring so long
constexpr std::size_t kMaxLookUps = 64;                         // at once
constexpr std::size_t kLookUpsEach = 100;                       // kFigures
constexpr std::size_t kTokenDigits = 32;
// Of one message, to an address of UDP that has not proved itself: what is lost on the way of an honest
// caller comes through, and nobody is flooded through us. To where only a Contact or Record-Route points:
// one.
constexpr std::uint32_t kRepeatsOfAnswer = 4;
constexpr std::uint32_t kRepeatsOfRequest = 1;
constexpr Duration kFigures = std::chrono::milliseconds(500);  // how often the gauges are set

SourceKind kind_of(const Flow& source) {
  return has_connections(source.transport) ? SourceKind::kConnection : SourceKind::kDatagram;
}

class GatewayImpl final : public Gateway, private TransportsReceiver {
 public:
  explicit GatewayImpl(const GatewayConfig& config)
      : config_(config),
        link_(context_),
        transports_(context_, config.transports, *this),
        relay_(signer_, config.cluster_secret),
        resolver_(Resolver::make(context_, config.dns_server)),
        ledger_(config.limits),
        trace_(config.trace_bytes),
        hep_socket_(context_),
        figures_timer_(context_) {}
  ~GatewayImpl() override { stop(); }

  Result<bool> bind();
  const Endpoint& loopback() const override { return link_.local(); }
  void start(const std::vector<Endpoint>& stacks) override;
  void stop() override;
  Endpoint contact_endpoint(const Flow& flow) const override { return listeners().of(flow).advertised; }
  const ListenerTable& listeners() const override { return transports_.listeners(); }
  std::string flow_route(const Flow& flow) const override {
    return ViaEditor(signer_, link_.local()).flow_route(flow);
  }
  std::string private_route() const override { return ViaEditor(signer_, link_.local()).private_route(); }
  bool may_send_to(const Flow& hop, AddressPolicy::PrivateRanges ranges) const override {
    return !fault_of(hop, ranges);
  }
  std::optional<Flow> verify_flow(std::string_view token) const override { return signer_.verify(token); }
  const GatewayCounters& counters() const override { return counters_; }
  LiveDialogs& dialogs() override { return dialogs_; }
  void answer_probe(std::uint64_t number) override { link_.answer_probe(number); }
  void ask(Time now) override {
    pulse_.ask(now);
    asio::post(context_, [this] { pulse_.answer(); });
  }
  const Pulse& pulse() const override { return pulse_; }
  void list_bans(std::function<void(const std::vector<Ban>&, Time)> done) override;
  void lift_ban(const IpAddress& source, std::function<void(bool)> done) override;
  void trace(const std::string& token, std::function<void(const std::vector<TracedMessage>&)> done) override;

 private:
  // From the network.
  bool on_message(std::string_view text, const Flow& source) override;
  Welcome welcome(const IpAddress& peer) override;
  void on_unsent(std::string_view text, const Flow& flow) override;
  bool receive_request(const SipMessage& request, std::string_view text, const Flow& source);
  bool receive_response(const SipMessage& response, std::string_view text, const Flow& source);
  bool is_kept_out(const SipMessage& request, const Flow& source, Time now) const;
  Purse purse_of(const SipMessage& request, const Flow& source, Time now) const;
  bool is_let_in(const SipMessage& request, const Flow& source, Time now) const;
  bool has_live_call(const SipMessage& request, const Flow& source, Time now) const;
  bool may_be_in_dialog(const SipMessage& request, std::string_view text, const Flow& source);
  bool may_be_outside(const SipMessage& request, std::string_view text, const Flow& source);
  void ask_for_proof(const Flow& source, std::size_t request_bytes);
  bool admits(const SipMessage& request, std::string_view text, const Flow& source);
  bool look_up(std::string_view token, std::string_view text, const Flow& source);
  bool passes_by(const SipMessage& request, const Flow& source);
  void forward(const SipMessage& request, const Flow& source, const Flow& next, NodeRelay::Way way);
  bool is_node(const Flow& flow) const {
    return config_.admission != nullptr && !has_connections(flow.transport) &&
           config_.admission->is_node(flow.peer);
  }
  void refuse(const SipMessage& request, const Flow& source, const StatelessAnswer& answer,
              std::size_t request_bytes);
  void offend(const Flow& source, Offence offence);
  bool is_proved(const Flow& flow) const;
  bool is_own(const IpAddress& address) const;
  bool exempts(const IpAddress& source) const {
    return config_.admission == nullptr || config_.admission->is_exempt(source);
  }

  // From the stacks.
  void on_stack_message(std::string_view text);
  void on_stack_response(const SipMessage& response);
  void send_answer(Outbound outbound);
  void on_stack_request(const SipMessage& request, std::string_view text);
  void send_resolved(const std::string& text, const ServerName& name, const std::vector<Target>& targets);
  void send_request(const SipMessage& request, const ViaEditor::Hop& hop);
  void answer_no_hop(const SipMessage& request);
  std::optional<std::string> fault_of(const Flow& hop, AddressPolicy::PrivateRanges ranges) const {
    if (is_node(hop)) return {};
    return fault_of_hop(config_.peers.get(), listeners(), hop, ranges);
  }
  bool may_go_to(const SipMessage& request, const Flow& hop, AddressPolicy::PrivateRanges ranges);

  // Both ways.
  std::size_t stack_of(const SipMessage& message) const;
  Duration queue_age(std::size_t stack, Time now) const;
  void note(const SipMessage& message, std::string_view text, const Flow& flow, bool is_inbound);
  void set_figures();

  const GatewayConfig config_;
  FlowSigner signer_;
  Pulse pulse_;
  GatewayCounters counters_;
  asio::io_context context_{1};
  StackLink link_;
  Transports transports_;
  const NodeRelay relay_;
  std::unique_ptr<Resolver> resolver_;
  std::optional<ViaEditor> editor_;
  SourceLedger ledger_;
  LoadShedder shedder_;
  LiveDialogs dialogs_;
  ProvedSources proved_;
  DialogGate gate_{dialogs_, proved_};
  RecentSet repeats_;                                           // messages that went to who is not proved
  RecentSet admitted_;                                          // branches of INVITEs that were let in
  RecentSet sent_;                                              // messages that went to connections
  RecentSet asked_;                                             // tokens that the store was asked for
  RecentSet refused_hops_;                                      // calls whose next hop was refused
  RecentSet attempts_;                                          // branches of requests that went to a name
  std::map<std::string, std::pair<Endpoint, Time>> forwarded_;  // branches of INVITEs that went to a node
  std::set<std::string> looking_up_;                            // tokens
  std::size_t look_ups_left_ = kLookUpsEach;
  MessageTrace trace_;
  asio::ip::udp::socket hep_socket_;
  asio::steady_timer figures_timer_;
  std::thread thread_;
};

Result<bool> GatewayImpl::bind() {
  try {
    link_.bind();
    if (config_.hep_collector) {
      const auto collector = to_asio<asio::ip::udp::endpoint>(*config_.hep_collector);
      hep_socket_.open(collector.protocol());
      hep_socket_.non_blocking(true);
    }
  } catch (const boost::system::system_error& failure) {
    return Error{std::string("no loopback port is left for the SIP stack: ") + failure.code().message()};
  }
  return transports_.bind();
}

void GatewayImpl::start(const std::vector<Endpoint>& stacks) {
  editor_.emplace(signer_, link_.local(), stacks);
  link_.start(stacks, config_.sheds_load, [this](std::string_view text) { on_stack_message(text); });
  transports_.start();
  set_figures();
  thread_ = std::thread([this] { context_.run(); });
  pthread_setname_np(thread_.native_handle(), "vas-gateway");
}

void GatewayImpl::stop() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
  transports_.stop();
}

// What a new call waits at present: here, on its way through a stack, and on its way back.
Duration GatewayImpl::queue_age(std::size_t stack, Time now) const {
  return std::max({transports_.waited(), link_.age(stack, now), link_.waited()});
}

void GatewayImpl::set_figures() {
  const StreamCounters& streams = transports_.streams();
  counters_.connections = streams.connections.load();
  counters_.handshakes = streams.handshakes.load();
  counters_.handshakes_refused = streams.handshakes_refused.load();
  counters_.handshakes_failed = streams.handshakes_failed.load();
  Duration oldest{};
  const Time now = monotonic_now();
  for (std::size_t i = 0; i < link_.stacks(); ++i) oldest = std::max(oldest, queue_age(i, now));
  counters_.queue_age_us =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(oldest).count());
  std::erase_if(forwarded_, [&](const auto& each) { return now - each.second.second > kForwardedMemory; });
  look_ups_left_ = kLookUpsEach;
  figures_timer_.expires_after(kFigures);
  figures_timer_.async_wait([this](error_code failure) {
    if (!failure) set_figures();
  });
}

// ---- from the network ----

Welcome GatewayImpl::welcome(const IpAddress& peer) {
  if (exempts(peer)) return Welcome::kTrusted;
  return ledger_.is_banned(peer, SourceKind::kConnection, monotonic_now()) ? Welcome::kNone
                                                                           : Welcome::kStranger;
}

bool GatewayImpl::on_message(std::string_view text, const Flow& source) {
  if (text.find_first_not_of(std::string_view("\r\n\0 ", 4)) == std::string_view::npos) return false;
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

bool GatewayImpl::receive_response(const SipMessage& response, std::string_view text, const Flow& source) {
  const Time now = monotonic_now();
  if (answers_proof_question(response, source, signer_, now)) {
    proved_.note(source.peer, now);
    return true;
  }
  const auto refused = check_response(response);
  const bool is_good = !refused && text.size() <= SipMessage::kMaxBytes;
  const auto edited = is_good ? editor_->response_to_stack(response, source) : std::nullopt;
  if (is_good && !edited && !config_.cluster_secret.empty()) {
    // To what this gateway forwarded; its branch says for whom.
    if (auto outbound = editor_->response_to_peer(response)) {
      ++counters_.forwarded;
      send_answer(std::move(*outbound));
      return true;
    }
  }
  if (!edited) {
    ++counters_.dropped;
    return false;
  }
  if (edited->proves_source) {
    if (!has_connections(source.transport)) proved_.note(source.peer, now);
    gate_.learn_party(response, source, now);
  }
  note(response, text, source, true);
  link_.send(edited->stack, edited->text);
  return true;
}

// True when it deserved more than a refusal.
bool GatewayImpl::receive_request(const SipMessage& request, std::string_view text, const Flow& source) {
  const Time now = monotonic_now();
  const bool is_new = !has_to_tag(request);
  const bool is_exempt = exempts(source.peer.address) || is_node(source);
  if (is_new && !is_exempt && is_kept_out(request, source, now)) {
    ++counters_.banned;
    ledger_.count_dropped(source.peer.address);
    return false;
  }
  // The source pays before its message is looked into: what is well-formed may be costly all the same.
  const bool is_metered = !is_exempt && (is_new || !gate_.knows(request, now));
  if (is_metered && !ledger_.takes_request(source.peer.address, purse_of(request, source, now), now)) {
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
    if (request.method() == "ACK" && is_ack_of_stateless_answer(request, signer_)) return true;
    if (!may_be_in_dialog(request, text, source)) return false;
  } else if (!is_exempt && is_scanner(request)) {
    offend(source, Offence::kScanner);
    ++counters_.dropped;
    return false;
  } else if (request.method() == "OPTIONS") {
    refuse(request, source, answer_options(request), text.size());
    return true;
  } else if (!may_be_outside(request, text, source)) {
    return false;
  }
  note(request, text, source, true);
  std::string origin;
  if (is_node(source)) {
    if (const auto seen = relay_.origin_of(request))
      origin = fmt::format("{}: {} {}\r\n", kOriginHeader, to_string(seen->transport), to_string(seen->peer));
  }
  link_.send(stack_of(request), editor_->request_to_stack(request, source, origin));
  return true;
}

Purse GatewayImpl::purse_of(const SipMessage& request, const Flow& source, Time now) const {
  if (has_connections(source.transport)) return Purse::kConnections;
  if (has_live_call(request, source, now)) return Purse::kTokens;
  return proved_.knows(source.peer) ? Purse::kProved : Purse::kDatagrams;
}

// A ban that a forged datagram may have brought keeps out neither who is proved nor what has a live token.
bool GatewayImpl::is_kept_out(const SipMessage& request, const Flow& source, Time now) const {
  const IpAddress& address = source.peer.address;
  if (!ledger_.is_banned(address, kind_of(source), now)) return false;
  return ledger_.is_banned(address, SourceKind::kConnection, now) ||
         !(proved_.knows(address) || has_live_call(request, source, now));
}

// Of its branch an INVITE was let in, and may still be ringing.
bool GatewayImpl::is_let_in(const SipMessage& request, const Flow& source, Time now) const {
  const std::string branch = editor_->branch_of(request, source);
  return admitted_.contains(branch) || dialogs_.contains(dialogs_.key_of_invite(branch), now);
}

bool GatewayImpl::has_live_call(const SipMessage& request, const Flow& source, Time now) const {
  if (is_let_in(request, source, now)) return true;
  const HeaderField* token = request.first(HeaderName::kSessionToken);
  return request.method() == "INVITE" && token != nullptr && config_.admission != nullptr &&
         config_.admission->find_token(token->value).where != AdmissionCheck::TokenPlace::Where::kNowhere;
}

bool GatewayImpl::may_be_in_dialog(const SipMessage& request, std::string_view text, const Flow& source) {
  const Time now = monotonic_now();
  const bool is_exempt = exempts(source.peer.address) || is_node(source);
  switch (gate_.judge(request, source, is_exempt || has_connections(source.transport), now)) {
    case DialogGate::Verdict::kPasses: return true;
    case DialogGate::Verdict::kNotAnswered: ++counters_.no_dialog; return false;
    case DialogGate::Verdict::kOverBudget: ++counters_.limited; return false;
    case DialogGate::Verdict::kMustProve:
      ++counters_.unproved;
      ask_for_proof(source, text.size());
      return false;
    case DialogGate::Verdict::kNoDialog: break;
  }
  ++counters_.no_dialog;
  if (is_exempt || !ledger_.is_banned(source.peer.address, kind_of(source), now))
    refuse(request, source, {481, "Call Does Not Exist"}, text.size());
  return false;
}

// A CANCEL goes after an INVITE that was let in; the rest has a place in dialogs alone.
bool GatewayImpl::may_be_outside(const SipMessage& request, std::string_view text, const Flow& source) {
  const std::string_view method = request.method();
  if (method == "INVITE") return admits(request, text, source);
  if (method == "CANCEL" && is_let_in(request, source, monotonic_now())) return true;
  ++counters_.no_dialog;
  if (method != "ACK") refuse(request, source, {481, "Call Does Not Exist"}, text.size());
  return false;
}

// One question for one request: who answers has its request heard when it comes again.
void GatewayImpl::ask_for_proof(const Flow& source, std::size_t request_bytes) {
  const Time now = monotonic_now();
  std::string question = proof_question(source, contact_endpoint(source), signer_, now);
  if (10 * question.size() > 13 * request_bytes || !ledger_.takes_refusal(source.peer.address, now)) return;
  transports_.send(source, std::move(question));
}

// Whether what we send to `flow` is known to arrive at who asked for it.
bool GatewayImpl::is_proved(const Flow& flow) const {
  return has_connections(flow.transport) || proved_.knows(flow.peer) || exempts(flow.peer.address) ||
         is_node(flow);
}

// What belongs to a call at another node, in either direction.
bool GatewayImpl::passes_by(const SipMessage& request, const Flow& source) {
  if (config_.cluster_secret.empty()) return false;
  if (const auto flow = relay_.named_flow(request)) {
    if (is_node(source)) {
      forward(request, source, *flow, {contact_endpoint(*flow), false, true});
      return true;
    }
    // Our signature, from where we sent it to, is as good as our tag.
    if (flow->peer == source.peer && !has_connections(source.transport))
      proved_.note(source.peer, monotonic_now());
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
  transports_.send(next, relay_.forwarded(request, source, branch, next, way));
}

// A token that memory does not know may be one that another node has just made. Held until the store has said
// so, and then seen anew; a caller that asks for too many is answered by what memory knows.
bool GatewayImpl::look_up(std::string_view token, std::string_view text, const Flow& source) {
  if (looking_up_.contains(std::string(token)))
    return true;  // a retransmission: the one that is held will do
  const bool may_ask = config_.admission->looks_further() && looking_up_.size() < kMaxLookUps &&
                       look_ups_left_ != 0 && token.size() == kTokenDigits &&
                       asked_.note(token, monotonic_now()) == 0;
  if (!may_ask) return false;
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
bool GatewayImpl::admits(const SipMessage& request, std::string_view text, const Flow& source) {
  const Time now = monotonic_now();
  const std::string branch = editor_->branch_of(request, source);
  if (admitted_.contains(branch)) return true;
  const HeaderField* token = request.first(HeaderName::kSessionToken);
  using Where = AdmissionCheck::TokenPlace::Where;
  AdmissionCheck::TokenPlace place;
  if (token != nullptr && config_.admission != nullptr) place = config_.admission->find_token(token->value);
  if (place.where == Where::kAtNode && !is_node(source)) {
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
    refuse(request, source, {403, "Forbidden"}, text.size());
    return false;
  }
  if (config_.sheds_load && shedder_.sheds(queue_age(stack_of(request), now))) {
    ++counters_.shed;
    refuse(request, source, {503, "Service Unavailable", shedder_.retry_after_s()}, text.size());
    return false;
  }
  if (dialogs_.is_full()) {
    ++counters_.shed;
    refuse(request, source, {503, "Too Many Calls", shedder_.retry_after_s()}, text.size());
    return false;
  }
  admitted_.note(branch, now);
  return true;
}

void GatewayImpl::refuse(const SipMessage& request, const Flow& source, const StatelessAnswer& answer,
                         std::size_t request_bytes) {
  if (answer.status == 503 || answer.status == 200) {
    // The caller waits for it: a busy server that says nothing is sent everything twice.
  } else if (answer.status == 0 ||
             !(exempts(source.peer.address) || ledger_.takes_refusal(source.peer.address, monotonic_now()))) {
    ++counters_.dropped;
    return;
  }
  std::string text = stateless_response(request, source, answer, signer_);
  // An unproved source gets no more than it sent, give or take: nobody is to be flooded through us.
  const auto amplifies = [&] { return !is_proved(source) && 10 * text.size() > 13 * request_bytes; };
  if (!answer.lines.empty() && amplifies())
    text = stateless_response(request, source, {answer.status, answer.why}, signer_);
  if (amplifies()) {
    ++counters_.dropped;
    return;
  }
  if (answer.status != 503 && answer.status != 403 && answer.status != 200) ++counters_.refused;
  transports_.send(source, std::move(text));
}

// The line that fail2ban and operators look for: its form does not change. (docs/signaling.md)
void GatewayImpl::offend(const Flow& source, Offence offence) {
  const IpAddress& address = source.peer.address;
  const SourceKind kind = kind_of(source);
  const bool may_be_forged = kind == SourceKind::kDatagram;
  if (exempts(address) || is_node(source) || is_own(address)) return;
  if (may_be_forged && proved_.knows(address)) return;
  const Time now = monotonic_now();
  const auto ban = ledger_.note(address, offence, kind, now);
  if (!ban) return;
  log::warn("", "gateway: ban {} reason={} transport={} seconds={}", to_string(ban->source),
            to_string(offence), to_string(source.transport),
            std::chrono::duration_cast<std::chrono::seconds>(ban->until - now).count());
  if (may_be_forged) return;
  asio::post(context_, [this, peer = address] { transports_.drop(peer); });
}

bool GatewayImpl::is_own(const IpAddress& address) const {
  const auto& all = listeners().all();
  const bool is_listener = std::any_of(all.begin(), all.end(), [&](const Listener& each) {
    return each.local.address == address || each.advertised.address == address;
  });
  // Nobody out there can forge loopback.
  return is_listener ||
         (!address.is_loopback() && config_.peers != nullptr && config_.peers->is_own(address));
}

// ---- from the stacks ----

void GatewayImpl::on_stack_message(std::string_view text) {
  const auto message = SipMessage::parse(text);
  if (!message) return;
  message->is_request() ? on_stack_request(*message, text) : on_stack_response(*message);
}

void GatewayImpl::on_stack_response(const SipMessage& response) {
  auto outbound = editor_->response_to_peer(response);
  if (!outbound) return;
  note(response, outbound->text, outbound->flow, false);
  const auto* cseq = response.first(HeaderName::kCseq);
  // A 2xx to INVITE is repeated end to end until its ACK (RFC 3261 §13.3.1.4); other repeats end here.
  const bool is_invite_2xx =
      response.status() / 100 == 2 && cseq != nullptr && cseq->value.ends_with("INVITE");
  if (has_connections(outbound->flow.transport) && !is_invite_2xx &&
      sent_.note(outbound->text, monotonic_now()) != 0) {
    return;
  }
  send_answer(std::move(*outbound));
}

void GatewayImpl::send_answer(Outbound outbound) {
  if (!is_proved(outbound.flow) && repeats_.note(outbound.text, monotonic_now()) > kRepeatsOfAnswer) {
    ++counters_.unproved;
    return;
  }
  transports_.send(outbound.flow, std::move(outbound.text));
}

void GatewayImpl::on_stack_request(const SipMessage& request, std::string_view text) {
  const auto hop = editor_->next_hop(request);
  if (const auto* numeric = std::get_if<ViaEditor::Hop>(&hop)) {
    const bool may_go = numeric->is_flow || may_go_to(request, numeric->flow, editor_->ranges_of(request));
    return may_go ? send_request(request, *numeric) : answer_no_hop(request);
  }
  if (const auto* name = std::get_if<ServerName>(&hop)) {
    resolver_->resolve(*name, [this, kept = std::string(text), name = *name](const auto& targets) {
      send_resolved(kept, name, targets);
    });
    return;
  }
  answer_no_hop(request);
}

// Judged at the moment of sending, whoever named it. What is refused is told once a call.
bool GatewayImpl::may_go_to(const SipMessage& request, const Flow& hop, AddressPolicy::PrivateRanges ranges) {
  const auto fault = fault_of(hop, ranges);
  if (!fault) return true;
  ++counters_.refused_hops;
  const std::string_view call_id = value_of(request, HeaderName::kCallId);
  if (refused_hops_.note(call_id, monotonic_now()) == 0)
    log::warn(private_value(request, kCallHeader), "no {} is sent: {}", request.method(), *fault);
  return false;
}

// A server that said nothing to two transmissions is passed over for the next that DNS names.
void GatewayImpl::send_resolved(const std::string& text, const ServerName& name,
                                const std::vector<Target>& targets) {
  constexpr std::uint32_t kTransmissionsEach = 2;
  const auto request = SipMessage::parse(text);
  if (!request) return;
  const auto ranges = editor_->ranges_of(*request);
  std::vector<Target> open;
  for (const Target& each : targets) {
    if (may_go_to(*request, {each.transport, each.address, 0}, ranges)) open.push_back(each);
  }
  if (open.empty()) return answer_no_hop(*request);
  const auto via = Via::parse(first_element(request->first(HeaderName::kVia)->value));
  const std::uint32_t before = via ? attempts_.note(via->branch, monotonic_now()) : 0;
  const Target& target = open[before / kTransmissionsEach % open.size()];
  const bool is_marked = ranges == AddressPolicy::PrivateRanges::kOpen;
  send_request(*request, {{target.transport, target.address, 0}, is_marked, false, name.host});
}

void GatewayImpl::send_request(const SipMessage& request, const ViaEditor::Hop& hop) {
  std::string text = editor_->request_to_peer(request, hop, contact_endpoint(hop.flow));
  note(request, text, hop.flow, false);
  if (has_connections(hop.flow.transport) && sent_.note(text, monotonic_now()) != 0) return;
  if (has_to_tag(request) && !is_proved(hop.flow) &&
      !gate_.is_proved_party(request, hop.flow, monotonic_now()) &&
      repeats_.note(text, monotonic_now()) > kRepeatsOfRequest) {
    ++counters_.unproved;
    return;
  }
  transports_.send(hop.flow, std::move(text), is_secure(hop.flow.transport) ? hop.host : std::string());
}

// The stack hears at once what would otherwise be silence: it then tries another way.
void GatewayImpl::answer_no_hop(const SipMessage& request) {
  ++counters_.no_next_hop;
  if (request.method() == "ACK") return;
  const std::size_t stack = stack_of(request);
  const Flow from{Transport::kUdp, link_.stack(stack), 0};
  link_.send(stack, stateless_response(request, from, {503, "No Usable Next Hop"}, signer_));
}

void GatewayImpl::on_unsent(std::string_view text, const Flow& flow) {
  const auto message = SipMessage::parse(text);
  if (!message || !message->is_request() || message->method() == "ACK") return;
  ++counters_.no_next_hop;
  const std::string answer = stateless_response(*message, flow, {503, "No Connection"}, signer_);
  const auto response = SipMessage::parse(answer);
  const auto edited = response ? editor_->response_to_stack(*response, flow) : std::nullopt;
  if (edited) link_.send(edited->stack, edited->text);
}

// ---- both ways ----

std::size_t GatewayImpl::stack_of(const SipMessage& message) const {
  const HeaderField* call_id = message.first(HeaderName::kCallId);
  return stack_of_call(call_id != nullptr ? call_id->value : std::string_view(), link_.stacks());
}

void GatewayImpl::note(const SipMessage& message, std::string_view text, const Flow& flow, bool is_inbound) {
  if (!trace_.is_on() && !config_.hep_collector) return;
  const HeaderField* call_id = message.first(HeaderName::kCallId);
  if (call_id == nullptr) return;
  const Endpoint& local = listeners().of(flow).advertised;
  TracedMessage traced{wall_now(), flow.transport, is_inbound ? flow.peer : local,
                       is_inbound ? local : flow.peer, std::string(text)};
  // Inbound the caller's token; outbound what call control says the dialog belongs to.
  const std::string_view token =
      is_inbound ? value_of(message, HeaderName::kSessionToken) : private_value(message, kCallHeader);
  if (config_.hep_collector) {
    TracedMessage shown = traced;
    shown.text = without_secrets(shown.text, token);
    const std::string packet = hep_packet(shown, config_.hep_capture_id, call_id->value);
    error_code ignored;  // a collector that is away misses some
    hep_socket_.send_to(asio::buffer(packet), to_asio<asio::ip::udp::endpoint>(*config_.hep_collector), 0,
                        ignored);
  }
  trace_.note(std::move(traced), call_id->value);
  if (!token.empty()) trace_.link(token, call_id->value);
}

void GatewayImpl::list_bans(std::function<void(const std::vector<Ban>&, Time)> done) {
  asio::post(context_, [this, done = std::move(done)] {
    const Time now = monotonic_now();
    done(ledger_.bans(now), now);
  });
}

void GatewayImpl::lift_ban(const IpAddress& source, std::function<void(bool)> done) {
  asio::post(context_, [this, source, done = std::move(done)] { done(ledger_.lift(source)); });
}

void GatewayImpl::trace(const std::string& token,
                        std::function<void(const std::vector<TracedMessage>&)> done) {
  asio::post(context_, [this, token, done = std::move(done)] { done(trace_.of(token)); });
}

}  // namespace

std::size_t stack_of_call(std::string_view call_id, std::size_t stacks) {
  return stacks < 2 ? 0 : std::hash<std::string_view>{}(call_id) % stacks;
}

Result<std::unique_ptr<Gateway>> Gateway::open(const GatewayConfig& config) {
  auto gateway = std::make_unique<GatewayImpl>(config);
  if (auto bound = gateway->bind(); !bound) return Error{bound.error()};
  return std::unique_ptr<Gateway>(std::move(gateway));
}

}  // namespace vas::signaling
