#include "signaling/gateway/sender.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/match.h"
#include "signaling/gateway/policy/hop_check.h"

namespace vas::signaling {
namespace {

// Of one message, to an address of UDP that has not proved itself: what is lost on the way of an honest
// caller comes through, and nobody is flooded through us.
// To where only a Contact or Record-Route points: one.
constexpr std::uint32_t kRepeatsOfResponse = 4;
constexpr std::uint32_t kRepeatsOfRequest = 1;

// The branch of a message of ours, of which there may be no more than the beginning;
// empty where that is not there.
std::string_view branch_of_quote(std::string_view text) {
  constexpr std::string_view kVia = "Via: ";
  const auto line = text.find("\r\n");
  if (line == std::string_view::npos) return {};
  text.remove_prefix(line + 2);
  const auto end = text.find("\r\n");
  if (end == std::string_view::npos || !text.starts_with(kVia)) return {};
  const auto via = Via::parse(first_element(text.substr(kVia.size(), end - kVia.size())));
  return via ? via->branch : std::string_view();
}

}  // namespace

void Sender::send_from_stack(std::string_view text) {
  thread_check_.check();
  const auto message = SipMessage::parse(text);
  if (!message) return;
  message->is_request() ? on_stack_request(*message, text) : on_stack_response(*message, text);
}

void Sender::on_stack_response(const SipMessage& response, std::string_view text) {
  const auto top = Via::parse(first_element(value_of(response, HeaderName::kVia)));
  if (!top) return;
  auto outbound = parts_.editor.response_to_peer(response, parts_.transactions.flow_of(top->branch));
  if (!outbound) return;
  const Flow flow = outbound->flow;
  const std::string shown = outbound->text;
  if (send_response(response, text, std::move(*outbound))) parts_.tap.keep(response, shown, flow, false);
}

bool Sender::send_response(const SipMessage& response, std::string_view text, Outbound outbound) {
  thread_check_.check();
  if (!parts_.judge.is_proved(outbound.flow)) {
    const Time now = monotonic_now();
    const bool is_too_often = repeats_.times_added(text, now) > kRepeatsOfResponse;
    repeats_.add(text, now);
    if (is_too_often) {
      ++parts_.counters.unproved;
      return false;
    }
  }
  // A 2xx to INVITE is repeated end to end until its ACK (RFC 3261 §13.3.1.4); other repeats end here.
  const bool is_invite_2xx =
      response.status() / 100 == 2 && value_of(response, HeaderName::kCseq).ends_with("INVITE");
  return send(outbound.flow, std::move(outbound.text), {.is_repeated = is_invite_2xx});
}

void Sender::on_stack_request(const SipMessage& request, std::string_view text) {
  match(
      parts_.editor.next_hop(request),
      [&](const ViaEditor::Hop& hop) {
        const bool may_go =
            hop.bond != FlowBond::kNone || may_go_to(request, hop.flow, parts_.editor.ranges_of(request));
        may_go ? send_request(request, text, hop) : respond_no_hop(request);
      },
      [&](const ServerName& name) { resolve(std::string(text), name, false); },
      [&](NoHop) { respond_no_hop(request); });
}

// `has_failed`: the server that it went to last cannot be reached.
void Sender::resolve(const std::string& text, const ServerName& name, bool has_failed) {
  parts_.resolver.resolve(name, [this, text, name, has_failed](const auto& targets) {
    send_resolved(text, name, targets, has_failed);
  });
}

std::optional<std::string> Sender::fault_of(const Flow& hop, AddressPolicy::PrivateRanges ranges) const {
  if (parts_.judge.is_node(hop)) return {};
  return fault_of_hop(parts_.peers, parts_.transports.listeners(), hop, ranges);
}

// Judged at the moment of sending, whoever named it. What is refused is told once a call.
bool Sender::may_go_to(const SipMessage& message, const Flow& hop, AddressPolicy::PrivateRanges ranges) {
  const auto fault = fault_of(hop, ranges);
  if (!fault) return true;
  ++parts_.counters.refused_hops;
  const std::string_view call_id = value_of(message, HeaderName::kCallId);
  const Time now = monotonic_now();
  const bool is_told = refused_hops_.times_added(call_id, now) != 0;
  refused_hops_.add(call_id, now);
  if (!is_told)
    log::warn(private_value(message, kCallHeader), "no {} is sent: {}",
              message.is_request() ? message.method() : "response", *fault);
  return false;
}

// A server that said nothing to two transmissions is passed over for the next that DNS names.
void Sender::send_resolved(const std::string& text, const ServerName& name,
                           const std::vector<Target>& targets, bool has_failed) {
  // The first, and one repeat after T1.
  constexpr std::uint32_t kTransmissionsEach = 2;
  const auto request = SipMessage::parse(text);
  if (!request) return;
  const auto ranges = parts_.editor.ranges_of(*request);
  std::vector<Target> open;
  for (const Target& each : targets) {
    if (may_go_to(*request, {each.transport, each.address, 0}, ranges)) open.push_back(each);
  }
  if (open.empty()) return respond_no_hop(*request);
  const std::string_view via = value_of(*request, HeaderName::kVia);
  const Time now = monotonic_now();
  std::uint32_t before = attempts_.times_added(via, now);
  attempts_.add(via, now);
  if (has_failed && before % kTransmissionsEach != 0) {
    before = attempts_.times_added(via, now);
    attempts_.add(via, now);
  }
  if (has_failed && before / kTransmissionsEach >= open.size()) return respond_no_hop(*request);
  const Target& target = open[before / kTransmissionsEach % open.size()];
  send_request(*request, text, {{target.transport, target.address, 0}, FlowBond::kNone, name.host});
}

void Sender::send_request(const SipMessage& request, std::string_view as_from_stack,
                          const ViaEditor::Hop& hop) {
  std::string text =
      parts_.editor.request_to_peer(request, hop, parts_.transports.listeners().of(hop.flow).advertised);
  const bool is_in_dialog = has_to_tag(request);
  const Time now = monotonic_now();
  if (is_in_dialog && !parts_.judge.is_proved(hop.flow) &&
      !parts_.gate.is_proved_party(request, hop.flow, now)) {
    const bool is_too_often = repeats_.times_added(text, now) > kRepeatsOfRequest;
    repeats_.add(text, now);
    if (is_too_often) {
      ++parts_.counters.unproved;
      return;
    }
  }
  if (!is_in_dialog && !has_connections(hop.flow.transport) && request.method() == "INVITE")
    without_response_.remember(branch_of_quote(text), as_from_stack, now);
  const std::string shown = text;
  const std::string name = is_secure(hop.flow.transport) ? hop.host : std::string();
  if (send(hop.flow, std::move(text), {.tls_name = name, .is_repeated = false}))
    parts_.tap.keep(request, shown, hop.flow, false);
}

// Who quotes its branch has seen it; and nothing is given up for it but an INVITE of a new call that has
// no response.
void Sender::on_undelivered(std::string_view text) {
  thread_check_.check();
  const auto unsent = without_response_.pop(branch_of_quote(text), monotonic_now());
  const auto request = unsent ? SipMessage::parse(*unsent) : std::nullopt;
  if (!request) return;
  const auto hop = parts_.editor.next_hop(*request);
  if (const auto* name = std::get_if<ServerName>(&hop)) return resolve(*unsent, *name, true);
  respond_no_hop(*request);
}

// Over a connection each message once, for as long as that connection stands: the stack repeats all as over
// UDP. False for a repeat, as far as that is known here.
bool Sender::send(const Flow& flow, std::string text, const Manner& manner) {
  bool is_new = true;
  if (has_connections(flow.transport) && !manner.is_repeated) {
    const Time now = monotonic_now();
    is_new = sent_.times_added(text, now) == 0;
    sent_.add(text, now);
  }
  parts_.transports.send(flow, std::move(text), manner);
  return is_new;
}

// The stack hears at once what would otherwise be silence: it then tries another way.
void Sender::respond_no_hop(const SipMessage& request) {
  ++parts_.counters.no_next_hop;
  if (request.method() == "ACK") return;
  const std::size_t stack = stack_of_call(value_of(request, HeaderName::kCallId), parts_.link.stacks());
  const Flow from{Transport::kUdp, parts_.link.stack(stack), 0};
  parts_.link.send(stack, stateless_response(request, from, {503, "No Usable Next Hop"}, parts_.signer));
}

// A connection that is named and gone, or one that could not be made (flow.connection is 0 then).
void Sender::on_unsent(std::string_view text, const Flow& flow) {
  thread_check_.check();
  const auto message = SipMessage::parse(text);
  if (!message) return;
  if (!message->is_request()) return respond_elsewhere(*message, text, flow);
  const auto unsent = parts_.editor.as_from_stack(*message, ranges_near(flow.peer.address));
  const bool is_flow_gone = flow.connection != 0 && unsent;
  if (is_flow_gone && unsent->bond == FlowBond::kMayLeave && send_elsewhere(*unsent, flow)) return;
  ++parts_.counters.no_next_hop;
  const bool has_failed = is_flow_gone && unsent->bond != FlowBond::kNone;
  tell_unsent(*message, flow, has_failed ? StatelessResponse{430} : StatelessResponse{503, "No Connection"});
}

void Sender::tell_unsent(const SipMessage& request, const Flow& flow, const StatelessResponse& response) {
  if (request.method() == "ACK") return;
  const std::string text = stateless_response(request, flow, response, parts_.signer);
  const auto parsed = SipMessage::parse(text);
  const auto edited = parsed ? parts_.editor.response_to_stack(*parsed, flow) : std::nullopt;
  if (edited) parts_.link.send(edited->stack, edited->text);
}

// To the next hop that the dialog's routes and its target name, over a connection that is made there; over
// TLS where it was TLS.
bool Sender::send_elsewhere(const ViaEditor::Unsent& unsent, const Flow& gone) {
  const auto request = SipMessage::parse(unsent.text);
  if (!request || is_websocket(gone.transport)) return false;
  const auto loses_tls = [&](Transport onward) { return is_secure(gone.transport) && !is_secure(onward); };
  return match(
      parts_.editor.next_hop(*request, gone.transport),
      [&](const ViaEditor::Hop& hop) {
        if (loses_tls(hop.flow.transport)) return false;
        if (!may_go_to(*request, hop.flow, parts_.editor.ranges_of(*request))) return false;
        send_request(*request, unsent.text, hop);
        return true;
      },
      [&](const ServerName& name) {
        if (loses_tls(name.transport.value_or(gone.transport))) return false;
        resolve(unsent.text, name, false);
        return true;
      },
      [](NoHop) { return false; });
}

// To the address that the request came from, at the port that its Via names (RFC 3261 §18.2.2).
void Sender::respond_elsewhere(const SipMessage& response, std::string_view text, const Flow& gone) {
  const auto via = Via::parse(first_element(value_of(response, HeaderName::kVia)));
  if (gone.connection == 0 || is_websocket(gone.transport) || !via) return;
  const std::uint16_t port = via->port != 0 ? via->port : default_port(gone.transport);
  const Flow hop{gone.transport, {gone.peer.address, port}, 0};
  if (!may_go_to(response, hop, ranges_near(gone.peer.address))) return;
  parts_.transports.send(hop, std::string(text),
                         {.tls_name = is_secure(gone.transport) ? std::string(via->host) : std::string()});
}

void Sender::remember_responded(const SipMessage& response) {
  thread_check_.check();
  const auto via = Via::parse(first_element(value_of(response, HeaderName::kVia)));
  if (via) without_response_.forget(via->branch);
}

}  // namespace vas::signaling
