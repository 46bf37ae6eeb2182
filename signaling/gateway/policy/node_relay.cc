#include "signaling/gateway/policy/node_relay.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/text.h"
#include "signaling/sip/message_lines.h"

namespace vas::signaling {
namespace {

constexpr std::string_view kForwarded = "X-VAS-Forwarded";
// RFC 3261 §19.1.2.
constexpr std::uint16_t kDefaultPort = 5060;

}  // namespace

std::optional<Flow> NodeRelay::named_flow(const SipMessage& request) const {
  const HeaderField* route = request.first(HeaderName::kRoute);
  if (route == nullptr) return {};
  const auto uri = SipUri::parse(uri_of(first_element(route->value)));
  return uri ? signer_.verify(uri->user) : std::nullopt;
}

// Bound to the call, so that it cannot be taken over to another one.
std::string NodeRelay::voucher(std::string_view origin, const SipMessage& request) const {
  const std::string text =
      fmt::format("{}|{}|{}", origin, value_of(request, HeaderName::kCallId), request.method());
  std::uint8_t mac[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()), as_bytes(text).data(), text.size(),
       mac, &length);
  return to_hex(Bytes(mac, 16));
}

std::optional<Origin> NodeRelay::origin_of(const SipMessage& request) const {
  const std::string_view value = private_value(request, kForwarded);
  const auto blank = value.rfind(' ');
  if (secret_.empty() || blank == std::string_view::npos) return {};
  const std::string_view said = value.substr(0, blank);
  const std::string_view given = value.substr(blank + 1);
  const std::string expected = voucher(said, request);
  if (given.size() != expected.size() || CRYPTO_memcmp(given.data(), expected.data(), given.size()) != 0)
    return {};
  const auto space = said.find(' ');
  const auto transport = transport_by_name(said.substr(0, space));
  const auto peer = space == std::string_view::npos ? std::nullopt : Endpoint::parse(said.substr(space + 1));
  if (!transport || !peer) return {};
  return Origin{*transport, *peer};
}

std::string NodeRelay::forwarded(const SipMessage& request, const Flow& source,
                                 const std::string& via_parameters, const Flow& next, const Way& way) const {
  const HeaderField* via_header = request.first(HeaderName::kVia);
  const HeaderField* route_header = way.drops_route ? request.first(HeaderName::kRoute) : nullptr;
  const auto top = Via::parse(first_element(via_header->value));
  std::string out;
  append_line(out, request.start_line);
  out += fmt::format("Via: SIP/2.0/{} {};rport;{}\r\n", via_name(next.transport), to_string(way.own),
                     via_parameters);
  if (way.is_to_node) {
    const std::string said = fmt::format("{} {}", to_string(source.transport), to_string(source.peer));
    out += fmt::format("{}: {} {}\r\n", kForwarded, said, voucher(said, request));
    if (request.method() == "INVITE" && !has_to_tag(request))
      out += fmt::format("Record-Route: <sip:{}@{};lr>\r\n", signer_.sign(source), to_string(way.own));
  }
  for (const HeaderField& header : request.headers) {
    if (header.name == HeaderName::kVasPrivate) continue;
    if (&header == via_header) {
      append_line(out,
                  "Via: " + (top ? with_received(*top, source) : std::string(first_element(header.value))));
      append_header(out, "Via", rest_elements(header.value));
    } else if (&header == route_header) {
      append_header(out, "Route", rest_elements(header.value));
    } else if (header.name == HeaderName::kMaxForwards) {
      const unsigned hops = parse_number<unsigned>(header.value).value_or(70);
      out += fmt::format("Max-Forwards: {}\r\n", hops == 0 ? 0 : hops - 1);
    } else {
      append_line(out, header.line);
    }
  }
  out += "\r\n";
  out += request.body;
  return out;
}

std::optional<Endpoint> numeric_target(const SipMessage& request, bool drops_route) {
  std::string_view next = request.request_uri();
  bool is_ours = drops_route;
  for (const HeaderField& header : request.headers) {
    if (header.name != HeaderName::kRoute) continue;
    const auto parts = elements(header.value);
    const std::size_t at = is_ours ? 1 : 0;
    is_ours = false;
    if (parts.size() > at) {
      next = uri_of(parts[at]);
      break;
    }
  }
  const auto uri = SipUri::parse(next);
  const auto address = uri ? IpAddress::parse(uri->host) : std::nullopt;
  if (!address) return {};
  return Endpoint{*address, uri->port != 0 ? uri->port : kDefaultPort};
}

}  // namespace vas::signaling
