#include "signaling/gateway/policy/guard.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "signaling/sip/capabilities.h"
#include "signaling/sip/header_bounds.h"
#include "signaling/sip/user_of.h"

namespace vas::signaling {
namespace {

constexpr std::uint32_t kMaxCseq = 0x7fffffff;  // RFC 3261 §8.1.1.5

// A name-addr or addr-spec with its parameters (RFC 3261 §20.10, §25.1), wider in display names: the stack is
// given them quoted (display_name.h).
bool is_address(std::string_view value) {
  constexpr std::string_view kBlanks = " \t\r\n";
  value = trim(value);
  const bool is_quoted = value.starts_with('"');
  if (is_quoted) {
    std::size_t end = 1;
    while (end < value.size() && value[end] != '"') end += value[end] == '\\' ? 2 : 1;
    if (end >= value.size()) return false;
    value = trim(value.substr(end + 1));
  }
  const auto open = value.find('<');
  if (open == std::string_view::npos || (value.find(';') < open && !is_quoted)) {
    const std::string_view uri = trim(value.substr(0, value.find(';')));
    return !is_quoted && !uri.empty() && uri.find_first_of(" \t\r\n\"<>?") == std::string_view::npos;
  }
  if (is_quoted ? open != 0 : value.substr(0, open).find_first_of("\">") != std::string_view::npos)
    return false;
  const auto close = value.find('>', open);
  if (close == std::string_view::npos) return false;
  const std::string_view uri = value.substr(open + 1, close - open - 1);
  const std::string_view rest = trim(value.substr(close + 1));
  return !uri.empty() && uri.find_first_of(kBlanks) == std::string_view::npos &&
         (rest.empty() || rest.starts_with(';'));
}

// From and To are one address each, Contacts any number.
std::optional<StatelessResponse> check_addresses(const SipMessage& message) {
  for (const HeaderField& header : message.headers) {
    const bool is_contact = header.name == HeaderName::kContact;
    if (!is_contact && header.name != HeaderName::kFrom && header.name != HeaderName::kTo) continue;
    if (is_contact && header.value == "*") continue;
    const auto parts = elements(header.value);
    if ((!is_contact && parts.size() != 1) || !std::all_of(parts.begin(), parts.end(), is_address))
      return StatelessResponse{400, "Bad address in From, To or Contact"};
  }
  return {};
}

bool has_whole_vias(const SipMessage& message) {
  for (const HeaderField& header : message.headers) {
    if (header.name != HeaderName::kVia) continue;
    const auto parts = elements(header.value);
    if (!std::all_of(parts.begin(), parts.end(),
                     [](std::string_view part) { return Via::parse(part).has_value(); }))
      return false;
  }
  return true;
}

// Three words with one blank between two of them (RFC 3261 §7.1).
bool is_request_line(std::string_view line) {
  const auto words = split(line, ' ');
  return words.size() == 3 && is_token(words[0]) && !words[1].empty() && !words[2].empty() &&
         !has_control_characters(line) && words[1].find_first_of("\t<>\"") == std::string_view::npos;
}

bool has_sip_uris_only(const SipMessage& message, HeaderName name) {
  for (const HeaderField& header : message.headers) {
    if (header.name != name) continue;
    const auto parts = elements(header.value);
    const bool all_sip = std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
      return SipUri::parse(uri_of(part)).has_value();
    });
    if (!all_sip) return false;
  }
  return true;
}

std::optional<StatelessResponse> check_cseq(const SipMessage& message, std::string_view method) {
  const std::string_view value = message.first(HeaderName::kCseq)->value;
  const auto blank = value.find_first_of(" \t\r\n");
  const auto number = parse_number<std::uint32_t>(value.substr(0, blank));
  if (!number || *number > kMaxCseq) return StatelessResponse{400, "CSeq number out of range"};
  const auto named = blank == std::string_view::npos ? std::string_view{} : trim(value.substr(blank));
  if (named != method) return StatelessResponse{400, "CSeq method does not match"};
  return {};
}

// What requests and responses share. Content-Length may be short of a datagram's end,
// never beyond it (§18.3).
std::optional<StatelessResponse> check_common(const SipMessage& message) {
  if (!message.is_text) return StatelessResponse{400, "Not UTF-8, or control characters"};
  if (!is_within_bounds(message)) return StatelessResponse{400, "Too many elements in a header"};
  constexpr std::array kOnce = {HeaderName::kFrom, HeaderName::kTo, HeaderName::kCallId, HeaderName::kCseq};
  for (const HeaderName name : kOnce) {
    if (message.count(name) != 1)
      return StatelessResponse{400, "From, To, Call-ID and CSeq must be there once"};
  }
  const std::string_view call_id = message.first(HeaderName::kCallId)->value;
  if (call_id.empty() || call_id.size() > 256 || call_id.find_first_of(" \t\r\n") != std::string_view::npos) {
    return StatelessResponse{400, "Bad Call-ID"};
  }
  if (message.count(HeaderName::kContentLength) > 1) return StatelessResponse{400, "Two Content-Length"};
  if (const auto* length = message.first(HeaderName::kContentLength)) {
    const auto bytes = parse_number<std::size_t>(length->value);
    if (!bytes || *bytes > message.body.size()) return StatelessResponse{400, "Content-Length mismatch"};
  }
  if (!has_sip_uris_only(message, HeaderName::kRecordRoute))
    return StatelessResponse{400, "Record-Route must be a SIP URI"};
  return {};
}

// Over the limit by what came, or by what its Content-Length says is to come.
bool is_too_large(const SipMessage& message, std::size_t size) {
  const auto announced = parse_number<std::size_t>(value_of(message, HeaderName::kContentLength));
  return size > SipMessage::kMaxBytes || (announced && *announced > SipMessage::kMaxBytes);
}

bool has_sip_scheme(std::string_view uri) {
  return starts_with_ignoring_case(uri, "sip:") || starts_with_ignoring_case(uri, "sips:");
}

// A number alone, as some carriers' gateways send it (RFC 3966).
bool is_tel(std::string_view uri) {
  constexpr std::string_view kTel = "tel:";
  return starts_with_ignoring_case(uri, kTel) && !user_of(uri).empty() &&
         uri.find_first_of("@?:/", kTel.size()) == std::string_view::npos;
}

std::optional<StatelessResponse> check_target(std::string_view target) {
  const auto uri = SipUri::parse(target);
  if (uri && uri->has_headers) return StatelessResponse{400, "Request-URI must have no headers"};
  if (uri || is_tel(target)) return {};
  return has_sip_scheme(target) ? StatelessResponse{400, "Bad Request-URI"} : StatelessResponse{416};
}

bool is_allowed(std::string_view method) {
  const auto methods = split(kAllow, ',');
  return std::any_of(methods.begin(), methods.end(),
                     [&](std::string_view each) { return trim(each) == method; });
}

bool makes_or_moves_a_dialog(std::string_view method) { return method == "INVITE" || method == "UPDATE"; }

}  // namespace

std::optional<StatelessResponse> check_request(const SipMessage& message, std::size_t size) {
  const std::string_view method = message.method();
  // Without a Via nobody knows where a response would go.
  const auto* via = message.first(HeaderName::kVia);
  if (via == nullptr || !Via::parse(first_element(via->value))) return StatelessResponse{0, "No usable Via"};
  if (is_too_large(message, size) && method != "ACK") return StatelessResponse{513};
  if (const auto refused = check_common(message)) {
    return method == "ACK" ? StatelessResponse{0, refused->why} : *refused;
  }
  if (method == "ACK") {
    if (check_cseq(message, method) || !equals_ignoring_case(message.version(), "SIP/2.0"))
      return StatelessResponse{0, "Bad ACK"};
    return {};
  }
  if (!is_request_line(message.start_line)) return StatelessResponse{400, "Bad request line"};
  if (!equals_ignoring_case(message.version(), "SIP/2.0")) return StatelessResponse{505};
  if (const auto refused = check_cseq(message, method)) return refused;
  if (!has_whole_vias(message)) return StatelessResponse{400, "Bad Via"};
  if (const auto refused = check_addresses(message)) return refused;
  if (const auto refused = check_target(message.request_uri())) return refused;
  if (const auto* expires = message.first(HeaderName::kExpires);
      expires != nullptr && !parse_number<std::uint32_t>(expires->value)) {
    return StatelessResponse{400, "Bad Expires"};
  }

  if (!is_allowed(method)) return StatelessResponse{405, {}, 0, true};

  if (const auto* hops = message.first(HeaderName::kMaxForwards)) {
    const auto left = parse_number<unsigned>(hops->value);
    if (!left || *left > 255) return StatelessResponse{400, "Bad Max-Forwards"};
    if (*left == 0 && method != "OPTIONS") return StatelessResponse{483};
  }
  if (!has_sip_uris_only(message, HeaderName::kContact))
    return StatelessResponse{400, "Contact must be a SIP URI"};
  if (makes_or_moves_a_dialog(method)) {
    const auto* contact = message.first(HeaderName::kContact);
    if (contact == nullptr) return StatelessResponse{400, "Contact is missing"};
    if (message.count(HeaderName::kContact) != 1 || elements(contact->value).size() != 1)
      return StatelessResponse{400, "One Contact only"};
  }
  return {};
}

std::optional<StatelessResponse> check_response(const SipMessage& message) {
  const int status = message.status();
  if (status < 100 || status > 699) return StatelessResponse{0, "Bad status line"};
  const auto* via = message.first(HeaderName::kVia);
  if (via == nullptr || !Via::parse(first_element(via->value))) return StatelessResponse{0, "No usable Via"};
  if (const auto refused = check_common(message)) return StatelessResponse{0, refused->why};
  // 3xx and 485 may name any URI: they are never followed.
  if (status < 300 && !has_sip_uris_only(message, HeaderName::kContact))
    return StatelessResponse{0, "Contact must be a SIP URI"};
  return {};
}

bool is_scanner(const SipMessage& request) {
  constexpr std::array<std::string_view, 7> kNames = {
      "friendly-scanner", "sipvicious", "sipcli", "sip-scan", "sundayddr", "vaxsipuseragent", "pplsip"};
  const std::string agent = to_lower(value_of(request, HeaderName::kUserAgent));
  return std::any_of(kNames.begin(), kNames.end(),
                     [&](std::string_view name) { return agent.find(name) != std::string::npos; });
}

}  // namespace vas::signaling
