#include "signaling/gateway/guard.h"

#include <algorithm>
#include <array>

#include "vas/base/text.h"

namespace vas::signaling {
namespace {

constexpr std::uint32_t kMaxCseq = 0x7fffffff;  // RFC 3261 §8.1.1.5

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "-.!%*_+`'~";  // RFC 3261 §25.1
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
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

std::optional<Refused> check_cseq(const SipMessage& message, std::string_view method) {
  const std::string_view value = message.first(HeaderName::kCseq)->value;
  const auto blank = value.find_first_of(" \t");
  const auto number = parse_number<std::uint32_t>(value.substr(0, blank));
  if (!number || *number > kMaxCseq) return Refused{Refusal::kBadRequest, "CSeq number out of range"};
  const auto named = blank == std::string_view::npos ? std::string_view{} : trim(value.substr(blank));
  if (named != method) return Refused{Refusal::kBadRequest, "CSeq method does not match"};
  return {};
}

// What requests and responses share. Content-Length may be short of a datagram's end, never beyond it
// (§18.3).
std::optional<Refused> check_common(const SipMessage& message) {
  constexpr std::array kOnce = {HeaderName::kFrom, HeaderName::kTo, HeaderName::kCallId, HeaderName::kCseq};
  for (const HeaderName name : kOnce) {
    if (message.count(name) != 1)
      return Refused{Refusal::kBadRequest, "From, To, Call-ID and CSeq must be there once"};
  }
  const std::string_view call_id = message.first(HeaderName::kCallId)->value;
  if (call_id.empty() || call_id.size() > 256 || call_id.find_first_of(" \t\r\n") != std::string_view::npos) {
    return Refused{Refusal::kBadRequest, "Bad Call-ID"};
  }
  if (message.count(HeaderName::kContentLength) > 1)
    return Refused{Refusal::kBadRequest, "Two Content-Length"};
  if (const auto* length = message.first(HeaderName::kContentLength)) {
    const auto bytes = parse_number<std::size_t>(length->value);
    if (!bytes || *bytes > message.body.size())
      return Refused{Refusal::kBadRequest, "Content-Length mismatch"};
  }
  if (!has_sip_uris_only(message, HeaderName::kRecordRoute))
    return Refused{Refusal::kBadRequest, "Record-Route must be a SIP URI"};
  return {};
}

bool makes_or_moves_a_dialog(std::string_view method) {
  constexpr std::array<std::string_view, 5> kMethods = {"INVITE", "UPDATE", "SUBSCRIBE", "REFER", "NOTIFY"};
  return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

}  // namespace

std::optional<Refused> check_request(const SipMessage& message) {
  const std::string_view method = message.method();
  // Without a Via nobody knows where an answer would go.
  const auto* via = message.first(HeaderName::kVia);
  if (via == nullptr || !Via::parse(first_element(via->value)))
    return Refused{Refusal::kSilent, "No usable Via"};
  if (const auto refused = check_common(message)) {
    return method == "ACK" ? Refused{Refusal::kSilent, refused->why} : *refused;
  }
  if (method == "ACK") {
    if (check_cseq(message, method) || message.version() != "SIP/2.0")
      return Refused{Refusal::kSilent, "Bad ACK"};
    return {};
  }
  if (message.version() != "SIP/2.0") return Refused{Refusal::kVersionNotSupported, "Version Not Supported"};
  if (!is_token(method) || message.request_uri().empty() || has_control_characters(message.start_line) ||
      message.request_uri().find_first_of(" \t<>\"") != std::string_view::npos) {
    return Refused{Refusal::kBadRequest, "Bad request line"};
  }
  if (const auto refused = check_cseq(message, method)) return refused;

  if (const auto* hops = message.first(HeaderName::kMaxForwards)) {
    const auto left = parse_number<unsigned>(hops->value);
    if (!left || *left > 255) return Refused{Refusal::kBadRequest, "Bad Max-Forwards"};
    if (*left == 0 && method != "OPTIONS") return Refused{Refusal::kTooManyHops, "Too Many Hops"};
  }
  if (!has_sip_uris_only(message, HeaderName::kContact) && method != "REGISTER") {
    return Refused{Refusal::kBadRequest, "Contact must be a SIP URI"};
  }
  if (makes_or_moves_a_dialog(method)) {
    const auto* contact = message.first(HeaderName::kContact);
    if (contact == nullptr) return Refused{Refusal::kBadRequest, "Contact is missing"};
    if (message.count(HeaderName::kContact) != 1 || elements(contact->value).size() != 1)
      return Refused{Refusal::kBadRequest, "One Contact only"};
  }
  return {};
}

std::optional<Refused> check_response(const SipMessage& message) {
  const int status = message.status();
  if (status < 100 || status > 699) return Refused{Refusal::kSilent, "Bad status line"};
  const auto* via = message.first(HeaderName::kVia);
  if (via == nullptr || !Via::parse(first_element(via->value)))
    return Refused{Refusal::kSilent, "No usable Via"};
  if (const auto refused = check_common(message)) return Refused{Refusal::kSilent, refused->why};
  // 3xx and 485 may name any URI: they are never followed.
  if (status < 300 && !has_sip_uris_only(message, HeaderName::kContact))
    return Refused{Refusal::kSilent, "Contact must be a SIP URI"};
  return {};
}

int status_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kBadRequest: return 400;
    case Refusal::kTooManyHops: return 483;
    case Refusal::kVersionNotSupported: return 505;
    case Refusal::kSilent: return 0;
  }
  return 0;
}

}  // namespace vas::signaling
