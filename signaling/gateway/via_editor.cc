#include "signaling/gateway/via_editor.h"

#include <fmt/format.h>

#include <string>

#include "vas/base/text.h"

namespace vas::signaling {
namespace {

constexpr std::string_view kMagicCookie = "z9hG4bK";  // RFC 3261 §8.1.1.7
constexpr std::uint16_t kDefaultPort = 5060;

// One header line with its folds opened.
void append_line(std::string& out, std::string_view line) {
  for (const char c : line) {
    if (c == '\r') continue;
    out += c == '\n' ? ' ' : c;
  }
  out += "\r\n";
}

void append_rest(std::string& out, std::string_view name, std::string_view value) {
  if (!value.empty()) append_line(out, std::string(name) + ": " + std::string(value));
}

// The top Via with what the peer cannot know: its address as seen here (RFC 3261 §18.2.1, RFC 3581 §4).
std::string with_received(const Via& via, const Flow& source) {
  std::string text;
  const auto pieces = split(via.text, ';');
  text += trim(pieces[0]);
  for (std::size_t i = 1; i < pieces.size(); ++i) {
    const std::string_view name = trim(pieces[i].substr(0, pieces[i].find('=')));
    if (equals_ignoring_case(name, "received") || equals_ignoring_case(name, "rport")) continue;
    text += ";";
    text += trim(pieces[i]);
  }
  text += ";received=" + to_string(source.peer.address);
  if (via.has_rport) text += ";rport=" + std::to_string(source.peer.port);
  return text;
}

std::string upper(Transport transport) { return transport == Transport::kUdp ? "UDP" : "TCP"; }

}  // namespace

std::string ViaEditor::own_branch(const SipMessage& request, const Via& top, const Flow& source) const {
  std::string key(top.host);
  key += ":" + std::to_string(top.port) + "|";
  if (top.branch.starts_with(kMagicCookie)) {
    key += top.branch;
  } else {  // RFC 2543: what CANCEL, ACK and retransmissions share
    const std::string_view cseq = request.first(HeaderName::kCseq)->value;
    key += request.first(HeaderName::kCallId)->value;
    key += "|" + std::string(cseq.substr(0, cseq.find(' ')));
  }
  const std::string token = signer_.sign(source);
  return std::string(kMagicCookie) + signer_.keyed_hash(key + "|" + token) + "." + token;
}

std::string ViaEditor::request_to_stack(const SipMessage& request, const Flow& source) const {
  const HeaderField* via_header = request.first(HeaderName::kVia);
  const auto top = Via::parse(first_element(via_header->value));
  std::string out;
  out.reserve(request.body.size() + 2048);
  append_line(out, request.start_line);
  out += fmt::format("Via: SIP/2.0/UDP {};branch={}\r\n", to_string(gateway_),
                     own_branch(request, *top, source));
  out += fmt::format("X-VAS-Source: {} {} {}\r\n", to_string(source.transport), to_string(source.peer),
                     signer_.sign(source));
  for (const HeaderField& header : request.headers) {
    if (header.name == HeaderName::kVasPrivate) continue;
    if (&header != via_header) {
      append_line(out, header.line);
      continue;
    }
    append_line(out, "Via: " + with_received(*top, source));
    append_rest(out, "Via", rest_elements(header.value));
  }
  out += "\r\n";
  out += request.body;
  return out;
}

std::optional<std::string> ViaEditor::response_to_stack(const SipMessage& response,
                                                        const Flow& source) const {
  const HeaderField* via_header = response.first(HeaderName::kVia);
  const auto top = Via::parse(first_element(via_header->value));
  if (!top) return {};
  const auto dot = top->branch.rfind('.');
  if (dot == std::string_view::npos) return {};
  const std::string_view stack_branch = top->branch.substr(0, dot);
  if (signer_.keyed_hash(stack_branch) != top->branch.substr(dot + 1)) return {};

  std::string out;
  append_line(out, response.start_line);
  out += fmt::format("Via: SIP/2.0/UDP {};branch={}\r\n", to_string(stack_), stack_branch);
  out += fmt::format("X-VAS-Source: {} {} {}\r\n", to_string(source.transport), to_string(source.peer),
                     signer_.sign(source));
  for (const HeaderField& header : response.headers) {
    if (header.name == HeaderName::kVasPrivate) continue;
    if (&header == via_header) {
      append_rest(out, "Via", rest_elements(header.value));
    } else {
      append_line(out, header.line);
    }
  }
  out += "\r\n";
  out += response.body;
  return out;
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
      append_rest(outbound.text, "Via", kept);
    } else {
      append_line(outbound.text, header.line);
    }
  }
  if (!next) return {};
  // Without rport the answer goes to the port that the Via names, at the address that was seen (RFC 3261
  // §18.2.2).
  if (flow->transport == Transport::kUdp && !next->has_rport)
    outbound.flow.peer.port = next->port != 0 ? next->port : kDefaultPort;
  outbound.text += "\r\n";
  outbound.text += response.body;
  return outbound;
}

std::variant<ViaEditor::Hop, NoHop> ViaEditor::next_hop(const SipMessage& request) const {
  const HeaderField* route = request.first(HeaderName::kRoute);
  const std::string_view text =
      route != nullptr ? uri_of(first_element(route->value)) : request.request_uri();
  const auto uri = SipUri::parse(text);
  if (!uri) return NoHop::kMalformed;
  const auto address = IpAddress::parse(uri->host);
  if (!address) return NoHop::kHostname;

  const Endpoint to{*address, uri->port != 0 ? uri->port : kDefaultPort};
  if (route != nullptr && to == gateway_) {
    const auto flow = signer_.verify(uri->user);
    if (!flow) return NoHop::kMalformed;
    return Hop{*flow, true};
  }
  const auto transport = uri->transport().empty() ? Transport::kUdp : transport_by_name(uri->transport());
  if (!transport || equals_ignoring_case(uri->scheme, "sips")) return NoHop::kUnsupportedTransport;
  return Hop{{*transport, to, 0}, false};
}

std::string ViaEditor::request_to_peer(const SipMessage& request, const Hop& hop,
                                       const Endpoint& public_endpoint) const {
  const HeaderField* via_header = request.first(HeaderName::kVia);
  const HeaderField* flow_route_header = hop.names_flow ? request.first(HeaderName::kRoute) : nullptr;
  const auto top = Via::parse(first_element(via_header->value));
  const std::string branch = top ? std::string(top->branch) : std::string(kMagicCookie);

  std::string out;
  append_line(out, request.start_line);
  out += fmt::format("Via: SIP/2.0/{} {};rport;branch={}.{}\r\n", upper(hop.flow.transport),
                     to_string(public_endpoint), branch, signer_.keyed_hash(branch));
  for (const HeaderField& header : request.headers) {
    if (header.name == HeaderName::kVasPrivate) continue;
    if (&header == via_header) {
      append_rest(out, "Via", rest_elements(header.value));
    } else if (&header == flow_route_header) {
      append_rest(out, "Route", rest_elements(header.value));
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

std::string stateless_response(const SipMessage& request, const Flow& source, int status,
                               std::string_view reason, std::string_view to_tag) {
  std::string out = fmt::format("SIP/2.0 {} {}\r\n", status, reason);
  const HeaderField* top = request.first(HeaderName::kVia);
  for (const HeaderField& header : request.headers) {
    switch (header.name) {
      case HeaderName::kVia: {
        const auto via = &header == top ? Via::parse(first_element(header.value)) : std::nullopt;
        if (!via) {
          append_line(out, header.line);
          break;
        }
        append_line(out, "Via: " + with_received(*via, source));
        append_rest(out, "Via", rest_elements(header.value));
        break;
      }
      case HeaderName::kTo: {
        const auto bracket = header.value.rfind('>');  // parameters behind it are the header's own
        const auto own = header.value.substr(bracket == std::string_view::npos ? 0 : bracket);
        const bool has_tag = parameter(own, "tag").has_value();
        append_line(out,
                    std::string(header.line) + (has_tag ? std::string() : ";tag=" + std::string(to_tag)));
        break;
      }
      case HeaderName::kFrom:
      case HeaderName::kCallId:
      case HeaderName::kCseq: append_line(out, header.line); break;
      case HeaderName::kContact:
      case HeaderName::kRecordRoute:
      case HeaderName::kRoute:
      case HeaderName::kMaxForwards:
      case HeaderName::kContentLength:
      case HeaderName::kContentType:
      case HeaderName::kVasPrivate:
      case HeaderName::kOther: break;
    }
  }
  out += "Content-Length: 0\r\n\r\n";
  return out;
}

}  // namespace vas::signaling
