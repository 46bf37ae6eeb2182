#include "signaling/gateway/via_editor.h"

#include <fmt/format.h>

#include <string>

#include "signaling/gateway/message_lines.h"
#include "vas/base/text.h"

namespace vas::signaling {
namespace {

constexpr std::string_view kMagicCookie = "z9hG4bK";  // RFC 3261 §8.1.1.7
constexpr std::uint16_t kDefaultPort = 5060;
constexpr std::uint16_t kDefaultTlsPort = 5061;
constexpr std::string_view kPrivateMark = "private ranges";  // what its keyed hash is of

// The Route after the first, in its own header or in one with it; empty: there is none.
std::string_view second_route(const SipMessage& request, const HeaderField& first) {
  if (const std::string_view rest = rest_elements(first.value); !rest.empty()) return first_element(rest);
  for (const HeaderField& header : request.headers) {
    if (&header > &first && header.name == HeaderName::kRoute) return first_element(header.value);
  }
  return {};
}

}  // namespace

std::string ViaEditor::branch_of(const SipMessage& request, const Flow& source) const {
  const Via top = Via::parse(first_element(value_of(request, HeaderName::kVia))).value_or(Via{});
  std::string key(top.host);
  key += ":" + std::to_string(top.port) + "|";
  if (top.branch.starts_with(kMagicCookie)) {
    key += top.branch;
  } else {  // RFC 2543: what CANCEL, ACK and retransmissions share
    const std::string_view cseq = value_of(request, HeaderName::kCseq);
    key += value_of(request, HeaderName::kCallId);
    key += "|" + std::string(cseq.substr(0, cseq.find_first_of(" \t\r\n")));
  }
  const std::string token = signer_.sign(source);
  return std::string(kMagicCookie) + signer_.keyed_hash(key + "|" + token) + "." + token;
}

std::string ViaEditor::request_to_stack(const SipMessage& request, const Flow& source,
                                        std::string_view origin) const {
  const HeaderField* via_header = request.first(HeaderName::kVia);
  const auto top = Via::parse(first_element(via_header->value));
  std::string out;
  out.reserve(request.body.size() + 2048);
  append_line(out, request.start_line);
  out += fmt::format("Via: SIP/2.0/UDP {};branch={}\r\n", to_string(gateway_), branch_of(request, source));
  out += fmt::format("X-VAS-Source: {} {} {}\r\n", to_string(source.transport), to_string(source.peer),
                     signer_.sign(source));
  out += origin;
  for (const HeaderField& header : request.headers) {
    if (header.name == HeaderName::kVasPrivate) continue;
    if (&header != via_header) {
      append_line(out, header.line);
      continue;
    }
    append_line(out, "Via: " + with_received(*top, source));
    append_header(out, "Via", rest_elements(header.value));
  }
  out += "\r\n";
  out += request.body;
  return out;
}

// A branch that went out is the stack's own, which stack that is, a keyed hash over both, and one over both
// and where it went: answers may come from elsewhere, but prove nothing then.
std::optional<ViaEditor::Inbound> ViaEditor::response_to_stack(const SipMessage& response,
                                                               const Flow& source) const {
  const HeaderField* via_header = response.first(HeaderName::kVia);
  const auto top = Via::parse(first_element(via_header->value));
  if (!top) return {};
  const auto last_dot = top->branch.rfind('.');
  if (last_dot == std::string_view::npos) return {};
  const std::string_view keyed = top->branch.substr(0, last_dot);
  const auto dot = keyed.rfind('.');
  if (dot == std::string_view::npos) return {};
  const std::string_view named = keyed.substr(0, dot);
  if (signer_.keyed_hash(named) != keyed.substr(dot + 1)) return {};
  const auto inner_dot = named.rfind('.');
  if (inner_dot == std::string_view::npos) return {};
  const std::string_view stack_branch = named.substr(0, inner_dot);
  const auto stack = parse_number<std::size_t>(named.substr(inner_dot + 1));
  if (!stack || *stack >= stacks_.size()) return {};

  std::string out;
  append_line(out, response.start_line);
  out += fmt::format("Via: SIP/2.0/UDP {};branch={}\r\n", to_string(stacks_[*stack]), stack_branch);
  out += fmt::format("X-VAS-Source: {} {} {}\r\n", to_string(source.transport), to_string(source.peer),
                     signer_.sign(source));
  for (const HeaderField& header : response.headers) {
    if (header.name == HeaderName::kVasPrivate) continue;
    if (&header == via_header) {
      append_header(out, "Via", rest_elements(header.value));
    } else {
      append_line(out, header.line);
    }
  }
  out += "\r\n";
  out += response.body;
  return Inbound{*stack, std::move(out), bound_to(named, source) == top->branch.substr(last_dot + 1)};
}

std::optional<Outbound> ViaEditor::response_to_peer(const SipMessage& response) const {
  const HeaderField* via_header = response.first(HeaderName::kVia);
  if (via_header == nullptr) return {};
  const auto top = Via::parse(first_element(via_header->value));
  if (!top) return {};
  const auto dot = top->branch.find('.');
  if (dot == std::string_view::npos) return {};
  auto flow = signer_.verify(top->branch.substr(dot + 1));
  if (!flow) return {};

  Outbound outbound{*flow, {}};
  append_line(outbound.text, response.start_line);
  std::optional<Via> next;
  for (const HeaderField& header : response.headers) {
    if (header.name == HeaderName::kVasPrivate) continue;
    const std::string_view kept = &header == via_header ? rest_elements(header.value) : header.value;
    if (header.name == HeaderName::kVia && !next && !kept.empty()) next = Via::parse(first_element(kept));
    if (&header == via_header) {
      append_header(outbound.text, "Via", kept);
    } else {
      append_line(outbound.text, header.line);
    }
  }
  if (!next) return {};
  // Without rport the answer goes to the port that the Via names, at the address that was seen (RFC 3261
  // §18.2.2).
  if (!has_connections(flow->transport) && !next->has_rport)
    outbound.flow.peer.port = next->port != 0 ? next->port : kDefaultPort;
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

std::variant<ViaEditor::Hop, ServerName, NoHop> ViaEditor::next_hop(const SipMessage& request) const {
  const HeaderField* route = request.first(HeaderName::kRoute);
  std::string_view text = route != nullptr ? uri_of(first_element(route->value)) : request.request_uri();
  auto uri = SipUri::parse(text);
  if (!uri) return NoHop::kMalformed;
  const bool is_marked = route != nullptr && is_private_mark(*uri);
  if (is_marked) {
    const std::string_view second = second_route(request, *route);
    text = second.empty() ? request.request_uri() : uri_of(second);
    uri = SipUri::parse(text);
    if (!uri) return NoHop::kMalformed;
  }
  const auto address = IpAddress::parse(uri->host);
  if (route != nullptr && !is_marked && address && Endpoint{*address, uri->port} == gateway_) {
    const auto flow = signer_.verify(uri->user);
    if (!flow) return NoHop::kMalformed;
    return Hop{*flow, true, true, {}};
  }

  const bool is_sips = equals_ignoring_case(uri->scheme, "sips");
  std::optional<Transport> transport;
  if (!uri->transport().empty()) {
    transport = transport_by_name(uri->transport());
    if (!transport || is_websocket(*transport)) return NoHop::kUnsupportedTransport;
    if (is_sips && *transport == Transport::kUdp) return NoHop::kUnsupportedTransport;
  }
  if (is_sips) transport = Transport::kTls;
  if (!address) return ServerName{to_lower(uri->host), uri->port, transport, is_sips};
  const Transport chosen = transport.value_or(Transport::kUdp);
  const std::uint16_t default_port = is_secure(chosen) ? kDefaultTlsPort : kDefaultPort;
  const Endpoint to{*address, uri->port != 0 ? uri->port : default_port};
  return Hop{{chosen, to, 0}, is_marked, false, to_string(*address)};
}

bool ViaEditor::is_private_mark(const SipUri& uri) const {
  const auto address = IpAddress::parse(uri.host);
  return address && Endpoint{*address, uri.port} == gateway_ && uri.user == signer_.keyed_hash(kPrivateMark);
}

AddressPolicy::PrivateRanges ViaEditor::ranges_of(const SipMessage& request) const {
  const HeaderField* route = request.first(HeaderName::kRoute);
  const auto uri = route != nullptr ? SipUri::parse(uri_of(first_element(route->value))) : std::nullopt;
  return uri && is_private_mark(*uri) ? AddressPolicy::PrivateRanges::kOpen
                                      : AddressPolicy::PrivateRanges::kClosed;
}

std::string ViaEditor::private_route() const {
  return fmt::format("<sip:{}@{};lr>", signer_.keyed_hash(kPrivateMark), to_string(gateway_));
}

std::string ViaEditor::request_to_peer(const SipMessage& request, const Hop& hop,
                                       const Endpoint& public_endpoint) const {
  const HeaderField* via_header = request.first(HeaderName::kVia);
  const HeaderField* own_route_header = hop.drops_route ? request.first(HeaderName::kRoute) : nullptr;
  const auto top = Via::parse(first_element(via_header->value));
  const std::string branch =
      fmt::format("{}.{}", top ? top->branch : kMagicCookie, top ? stack_at(*top).value_or(0) : 0);

  std::string out;
  append_line(out, request.start_line);
  out +=
      fmt::format("Via: SIP/2.0/{} {};rport;branch={}.{}.{}\r\n", via_name(hop.flow.transport),
                  to_string(public_endpoint), branch, signer_.keyed_hash(branch), bound_to(branch, hop.flow));
  for (const HeaderField& header : request.headers) {
    if (header.name == HeaderName::kVasPrivate) continue;
    if (&header == via_header) {
      append_header(out, "Via", rest_elements(header.value));
    } else if (&header == own_route_header) {
      append_header(out, "Route", rest_elements(header.value));
    } else {
      append_line(out, header.line);
    }
  }
  out += "\r\n";
  out += request.body;
  return out;
}

std::string ViaEditor::flow_route(const Flow& flow) const {
  return fmt::format("<sip:{}@{};lr>", signer_.sign(flow), to_string(gateway_));
}

}  // namespace vas::signaling
