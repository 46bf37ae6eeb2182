#include "signaling/sip/via_editor.h"

#include <fmt/format.h>

#include <string>

#include "base/text.h"
#include "signaling/sip/display_name.h"
#include "signaling/sip/message_lines.h"

namespace vas::signaling {
namespace {

constexpr std::string_view kMagicCookie = "z9hG4bK";         // RFC 3261 §8.1.1.7
constexpr std::string_view kPrivateMark = "private ranges";  // what its keyed hash is of
constexpr std::string_view kFlowParameter = "vas-flow";      // of our Via towards the stack
constexpr std::string_view kMayLeave = "may-leave";          // of a flow's route

// The Route after the first, in its own header or in one with it; empty: there is none.
std::string_view second_route(const SipMessage& request, const HeaderField& first) {
  if (const std::string_view rest = rest_elements(first.value); !rest.empty()) return first_element(rest);
  for (const HeaderField& header : request.headers) {
    if (&header > &first && header.name == HeaderName::kRoute) return first_element(header.value);
  }
  return {};
}

// How a branch says what held its request to a flow.
std::string_view letter_of(FlowBond bond) {
  switch (bond) {
    case FlowBond::kNone: return "";
    case FlowBond::kStays: return "s";
    case FlowBond::kMayLeave: return "l";
  }
  return "";
}

FlowBond bond_of(char letter) {
  return letter == 's' ? FlowBond::kStays : letter == 'l' ? FlowBond::kMayLeave : FlowBond::kNone;
}

// A header of a peer's as the stack can read it.
void append_for_stack(std::string& out, const HeaderField& header) {
  const bool has_names = header.name == HeaderName::kFrom || header.name == HeaderName::kTo ||
                         header.name == HeaderName::kContact;
  if (!has_names || !has_bare_name(header.value)) return append_line(out, header.line);
  append_header(out, trim(header.line.substr(0, header.line.find(':'))), with_quoted_names(header.value));
}

}  // namespace

// Call-ID and From tag stand beside the branch: there are peers that count branches from 1, and many that
// have the same private address. Without a branch to go by (RFC 2543) the source does.
std::string ViaEditor::branch_of(const SipMessage& request, const Flow& source) const {
  const Via top = Via::parse(first_element(value_of(request, HeaderName::kVia))).value_or(Via{});
  std::string key =
      fmt::format("{}|{}:{}|{}|{}|", to_string(source.transport), top.host, top.port,
                  value_of(request, HeaderName::kCallId), from_tag(request).value_or(std::string_view()));
  if (top.branch.starts_with(kMagicCookie)) {
    key += top.branch;
  } else {  // what CANCEL, ACK and retransmissions share
    const std::string_view cseq = value_of(request, HeaderName::kCseq);
    key += fmt::format("{}|{}", cseq.substr(0, cseq.find_first_of(" \t\r\n")), signer_.sign(source));
  }
  return std::string(kMagicCookie) + signer_.keyed_hash(key);
}

std::string ViaEditor::via_parameters(const std::string& branch, const Flow& source) const {
  return fmt::format("branch={};{}={}", branch, kFlowParameter, signer_.sign(source));
}

std::string ViaEditor::request_to_stack(const SipMessage& request, const Flow& source,
                                        std::string_view origin) const {
  const HeaderField* via_header = request.first(HeaderName::kVia);
  const auto top = Via::parse(first_element(via_header->value));
  std::string out;
  out.reserve(request.body.size() + 2048);
  append_start_line(out, request);
  out += fmt::format("Via: SIP/2.0/UDP {};{}\r\n", to_string(gateway_),
                     via_parameters(branch_of(request, source), source));
  out += fmt::format("X-VAS-Source: {} {} {}\r\n", to_string(source.transport), to_string(source.peer),
                     signer_.sign(source));
  out += origin;
  for (const HeaderField& header : request.headers) {
    if (header.name == HeaderName::kVasPrivate) continue;
    if (&header != via_header) {
      append_for_stack(out, header);
      continue;
    }
    append_line(out, "Via: " + with_received(*top, source));
    append_header(out, "Via", rest_elements(header.value));
  }
  out += "\r\n";
  out += request.body;
  return out;
}

// A branch that went out is the stack's own, which stack that is with what held it to a flow, a keyed hash
// over both, and one over both and where it went: responses may come from elsewhere, but prove nothing then.
std::optional<ViaEditor::SentBranch> ViaEditor::sent_branch(std::string_view branch) const {
  const auto last_dot = branch.rfind('.');
  if (last_dot == std::string_view::npos) return {};
  const std::string_view keyed = branch.substr(0, last_dot);
  const auto dot = keyed.rfind('.');
  if (dot == std::string_view::npos) return {};
  SentBranch sent{.named = keyed.substr(0, dot), .bound = branch.substr(last_dot + 1)};
  if (signer_.keyed_hash(sent.named) != keyed.substr(dot + 1)) return {};
  const auto inner_dot = sent.named.rfind('.');
  if (inner_dot == std::string_view::npos) return {};
  sent.of_stack = sent.named.substr(0, inner_dot);
  std::string_view number = sent.named.substr(inner_dot + 1);
  if (number.empty()) return {};
  sent.bond = bond_of(number.back());
  if (sent.bond != FlowBond::kNone) number.remove_suffix(1);
  const auto stack = parse_number<std::size_t>(number);
  if (!stack || *stack >= stacks_.size()) return {};
  sent.stack = *stack;
  return sent;
}

std::optional<ViaEditor::Inbound> ViaEditor::response_to_stack(const SipMessage& response,
                                                               const Flow& source) const {
  const HeaderField* via_header = response.first(HeaderName::kVia);
  const auto top = Via::parse(first_element(via_header->value));
  const auto sent = top ? sent_branch(top->branch) : std::nullopt;
  if (!sent) return {};

  std::string out;
  append_start_line(out, response);
  out += fmt::format("Via: SIP/2.0/UDP {};branch={}\r\n", to_string(stacks_[sent->stack]), sent->of_stack);
  out += fmt::format("X-VAS-Source: {} {} {}\r\n", to_string(source.transport), to_string(source.peer),
                     signer_.sign(source));
  for (const HeaderField& header : response.headers) {
    if (header.name == HeaderName::kVasPrivate) continue;
    if (&header == via_header) {
      append_header(out, "Via", rest_elements(header.value));
    } else {
      append_for_stack(out, header);
    }
  }
  out += "\r\n";
  out += response.body;
  return Inbound{sent->stack, std::move(out), bound_to(sent->named, source) == sent->bound};
}

std::optional<Outbound> ViaEditor::response_to_peer(const SipMessage& response,
                                                    const std::optional<Flow>& moved) const {
  const HeaderField* via_header = response.first(HeaderName::kVia);
  if (via_header == nullptr) return {};
  const auto top = Via::parse(first_element(via_header->value));
  if (!top) return {};
  auto flow = signer_.verify(parameter(top->text, kFlowParameter).value_or(std::string_view()));
  if (!flow) return {};
  if (moved) flow = moved;

  Outbound outbound{*flow, {}};
  append_line(outbound.text, response.start_line);
  std::optional<Via> next;
  for (const HeaderField& header : response.headers) {
    if (header.name == HeaderName::kVasPrivate) continue;
    const std::string_view kept = &header == via_header ? rest_elements(header.value) : header.value;
    const bool is_peers = header.name == HeaderName::kVia && !kept.empty() && !next;
    if (is_peers) next = Via::parse(first_element(kept));
    if (is_peers && next && moved) {
      append_line(outbound.text, "Via: " + with_received(*next, *flow));
      append_header(outbound.text, "Via", rest_elements(kept));
    } else if (&header == via_header) {
      append_header(outbound.text, "Via", kept);
    } else {
      append_line(outbound.text, header.line);
    }
  }
  if (!next) return {};
  // Without rport the response goes to the port that the Via names,
  // at the address that was seen (RFC 3261 §18.2.2).
  if (!has_connections(flow->transport) && !next->has_rport)
    outbound.flow.peer.port = next->port != 0 ? next->port : default_port(flow->transport);
  outbound.text += "\r\n";
  outbound.text += response.body;
  return outbound;
}

std::string ViaEditor::bound_to(std::string_view branch, const Flow& way) const {
  return signer_.keyed_hash(
      fmt::format("went|{}|{} {}", branch, to_string(way.transport), to_string(way.peer)));
}

std::optional<std::size_t> ViaEditor::stack_at(const Via& via) const {
  for (std::size_t i = 0; i < stacks_.size(); ++i) {
    if (stacks_[i].port == via.port) return i;
  }
  return {};
}

// The first Route may be one of ours: a flow's, private_route(), own_route().
std::optional<ViaEditor::Way> ViaEditor::way_of(const SipMessage& request) const {
  const HeaderField* first = request.first(HeaderName::kRoute);
  if (first == nullptr) return Way{.uri = request.request_uri()};
  Way way{.uri = uri_of(first_element(first->value))};
  auto uri = SipUri::parse(way.uri);
  if (!uri) return {};
  const auto address = IpAddress::parse(uri->host);
  way.has_own_route = address && Endpoint{*address, uri->port} == gateway_;
  if (!way.has_own_route) return way;  // a strict route stands behind one of ours alone
  if (!uri->user.empty()) {
    way.opens_private = uri->user == signer_.keyed_hash(kPrivateMark);
    if (!way.opens_private) way.flow = signer_.verify(uri->user);
    if (!way.opens_private && !way.flow) return {};
    if (way.flow) way.bond = parameter(uri->parameters, kMayLeave) ? FlowBond::kMayLeave : FlowBond::kStays;
  }
  const std::string_view second = second_route(request, *first);
  way.uri = second.empty() ? request.request_uri() : uri_of(second);
  uri = SipUri::parse(way.uri);
  if (!uri && !way.flow) return {};
  way.is_strict = !second.empty() && uri && !parameter(uri->parameters, "lr");
  return way;
}

std::variant<ViaEditor::Hop, ServerName, NoHop> ViaEditor::next_hop(const SipMessage& request,
                                                                    std::optional<Transport> unnamed) const {
  const auto way = way_of(request);
  if (!way) return NoHop::kMalformed;
  if (way->flow) return Hop{*way->flow, way->bond, {}};
  const auto uri = SipUri::parse(way->uri);
  if (!uri) return NoHop::kMalformed;

  const bool is_sips = equals_ignoring_case(uri->scheme, "sips");
  std::optional<Transport> transport = unnamed;
  if (!uri->transport().empty()) {
    transport = transport_by_name(uri->transport());
    if (!transport || is_websocket(*transport)) return NoHop::kUnsupportedTransport;
    if (is_sips && *transport == Transport::kUdp) return NoHop::kUnsupportedTransport;
  }
  if (is_sips) transport = Transport::kTls;
  const auto address = IpAddress::parse(uri->host);
  if (!address) return ServerName{to_lower(uri->host), uri->port, transport, is_sips};
  const Transport chosen = transport.value_or(Transport::kUdp);
  const Endpoint to{*address, uri->port != 0 ? uri->port : default_port(chosen)};
  return Hop{{chosen, to, 0}, FlowBond::kNone, to_string(*address)};
}

AddressPolicy::PrivateRanges ViaEditor::ranges_of(const SipMessage& request) const {
  const auto way = way_of(request);
  return way && way->opens_private ? AddressPolicy::PrivateRanges::kOpen
                                   : AddressPolicy::PrivateRanges::kClosed;
}

std::string ViaEditor::request_to_peer(const SipMessage& request, const Hop& hop,
                                       const Endpoint& public_endpoint) const {
  const Way way = way_of(request).value_or(Way{});
  const HeaderField* via_header = request.first(HeaderName::kVia);
  const auto top = Via::parse(first_element(via_header->value));
  // What a strict router's URI stood in for could not be put back.
  const FlowBond bond = way.is_strict && hop.bond == FlowBond::kMayLeave ? FlowBond::kStays : hop.bond;
  const std::string branch = fmt::format("{}.{}{}", top ? top->branch : kMagicCookie,
                                         top ? stack_at(*top).value_or(0) : 0, letter_of(bond));

  std::string out;
  // A strict router looks for itself in the Request-URI, and for the target behind the other Routes.
  append_line(out, way.is_strict
                       ? fmt::format("{} {} SIP/2.0", request.method(), way.uri.substr(0, way.uri.find('?')))
                       : std::string(request.start_line));
  out +=
      fmt::format("Via: SIP/2.0/{} {};rport;branch={}.{}.{}\r\n", via_name(hop.flow.transport),
                  to_string(public_endpoint), branch, signer_.keyed_hash(branch), bound_to(branch, hop.flow));
  int taken = (way.has_own_route ? 1 : 0) + (way.is_strict ? 1 : 0);
  for (const HeaderField& header : request.headers) {
    if (header.name == HeaderName::kVasPrivate) continue;
    if (&header == via_header) {
      append_header(out, "Via", rest_elements(header.value));
    } else if (header.name == HeaderName::kRoute && taken != 0) {
      std::string_view left = header.value;
      for (; taken != 0 && !left.empty(); --taken) left = rest_elements(left);
      append_header(out, "Route", left);
    } else {
      append_line(out, header.line);
    }
  }
  if (way.is_strict) out += fmt::format("Route: <{}>\r\n", request.request_uri());
  out += "\r\n";
  out += request.body;
  return out;
}

std::optional<ViaEditor::Unsent> ViaEditor::as_from_stack(const SipMessage& request,
                                                          AddressPolicy::PrivateRanges ranges) const {
  const HeaderField* via_header = request.first(HeaderName::kVia);
  const auto top = Via::parse(first_element(value_of(request, HeaderName::kVia)));
  const auto sent = top ? sent_branch(top->branch) : std::nullopt;
  if (!sent) return {};
  Unsent unsent{{}, sent->bond};
  append_line(unsent.text, request.start_line);
  unsent.text +=
      fmt::format("Via: SIP/2.0/UDP {};branch={}\r\n", to_string(stacks_[sent->stack]), sent->of_stack);
  if (ranges == AddressPolicy::PrivateRanges::kOpen)
    unsent.text += fmt::format("Route: {}\r\n", private_route());
  for (const HeaderField& header : request.headers) {
    if (&header == via_header) {
      append_header(unsent.text, "Via", rest_elements(header.value));
    } else {
      append_line(unsent.text, header.line);
    }
  }
  unsent.text += "\r\n";
  unsent.text += request.body;
  return unsent;
}

std::string ViaEditor::private_route() const {
  return fmt::format("<sip:{}@{};lr>", signer_.keyed_hash(kPrivateMark), to_string(gateway_));
}

std::string ViaEditor::flow_route(const Flow& flow, bool may_leave) const {
  return fmt::format("<sip:{}@{};lr{}{}>", signer_.sign(flow), to_string(gateway_), may_leave ? ";" : "",
                     may_leave ? kMayLeave : "");
}

std::string ViaEditor::own_route() const { return fmt::format("<sip:{};lr>", to_string(gateway_)); }

}  // namespace vas::signaling
