#include "signaling/ua/sofia_text.h"

#include <fmt/format.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/url.h>

#include "vas/base/text.h"

namespace vas::signaling {

std::string text(const char* from) { return from == nullptr ? std::string() : std::string(from); }

std::string url_text(const url_t* url) {
  Scratch scratch;
  return url == nullptr ? std::string() : text(url_as_string(scratch.get(), url));
}

// Not by sip_header_as_string: of what is longer than 127 bytes that returns memory as it was found.
std::string header_text(const sip_header_t* header) {
  constexpr std::size_t kMaxValue = 16 * 1024;
  std::string value(128, '\0');
  for (;;) {
    const auto length = sip_header_field_e(value.data(), static_cast<isize_t>(value.size()), header, 0);
    if (length >= 0 && static_cast<std::size_t>(length) < value.size()) {
      value.resize(static_cast<std::size_t>(length));
      return std::string(trim(value));
    }
    if (value.size() >= kMaxValue) return {};
    value.resize(2 * value.size());
  }
}

std::string unknown_header(const sip_t* sip, std::string_view name) {
  for (const sip_unknown_t* each = sip->sip_unknown; each != nullptr; each = each->un_next) {
    if (each->un_name != nullptr && each->un_value != nullptr && equals_ignoring_case(each->un_name, name)) {
      return std::string(trim(each->un_value));
    }
  }
  return {};
}

std::optional<std::string> sdp_of(const sip_t* sip) {
  if (sip->sip_payload == nullptr || sip->sip_payload->pl_len == 0) return {};
  const bool is_sdp = sip->sip_content_type != nullptr && sip->sip_content_type->c_type != nullptr &&
                      equals_ignoring_case(sip->sip_content_type->c_type, "application/sdp");
  if (!is_sdp) return {};
  return std::string(sip->sip_payload->pl_data, sip->sip_payload->pl_len);
}

std::vector<std::string> uris_of(const sip_record_route_t* route) {
  std::vector<std::string> uris;
  for (; route != nullptr; route = route->r_next) uris.push_back("<" + url_text(route->r_url) + ">");
  return uris;
}

std::string unsupported_of(const sip_require_t* require) {
  std::string unknown;
  if (require == nullptr || require->k_items == nullptr) return unknown;
  for (const msg_param_t* item = require->k_items; *item != nullptr; ++item) {
    if (equals_ignoring_case(*item, "100rel") || equals_ignoring_case(*item, "timer")) continue;
    unknown += (unknown.empty() ? "" : ", ") + text(*item);
  }
  return unknown;
}

std::string header_lines(const std::vector<Header>& headers) {
  std::string lines;
  for (const Header& header : headers) {
    if (!is_printable(header.name) || !is_printable(header.value)) continue;
    lines += header.name + ": " + header.value + "\r\n";
  }
  return lines;
}

std::string with_tag(const std::string& value, std::string_view tag) {
  return value + ";tag=" + std::string(tag);
}

std::string contact_text(const Gateway& gateway, const Flow& flow, bool is_sips) {
  const std::string own = to_string(gateway.contact_endpoint(flow));
  if (is_sips) return fmt::format("<sips:vas@{}>", own);
  const std::string transport =
      has_connections(flow.transport) ? fmt::format(";transport={}", to_string(flow.transport)) : "";
  return fmt::format("<sip:vas@{}{}>", own, transport);
}

}  // namespace vas::signaling
