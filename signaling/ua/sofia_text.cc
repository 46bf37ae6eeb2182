#include "signaling/ua/sofia_text.h"

#include <fmt/format.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/url.h>

#include <algorithm>

#include "base/text.h"
#include "signaling/sip/reason_header.h"

namespace vas::signaling {
namespace {

void add(std::vector<Header>& headers, const char* name, const void* header) {
  if (header != nullptr) headers.push_back({name, header_text(static_cast<const sip_header_t*>(header))});
}

void add_unknown(std::vector<Header>& headers, const sip_t* sip, const char* name) {
  if (std::string value = unknown_headers(sip, name); !value.empty())
    headers.push_back({name, std::move(value)});
}

}  // namespace

std::string text(const char* from) { return from == nullptr ? std::string() : std::string(from); }

std::string url_text(const url_t* url) {
  Scratch scratch;
  return url == nullptr ? std::string() : text(url_as_string(scratch.get(), url));
}

// Not by sip_header_as_string: of what is longer than 127 bytes that returns memory as it was found.
std::string header_text(const sip_header_t* header) {
  // Of one header that is kept: twice a line (SipMessage::kMaxLineBytes).
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

std::string unknown_headers(const sip_t* sip, std::string_view name) {
  std::string values;
  for (const sip_unknown_t* each = sip->sip_unknown; each != nullptr; each = each->un_next) {
    if (each->un_name != nullptr && each->un_value != nullptr && equals_ignoring_case(each->un_name, name))
      values.append(values.empty() ? "" : ", ").append(trim(each->un_value));
  }
  return values;
}

std::vector<Header> info_headers_of(const sip_t* sip) {
  std::vector<Header> headers;
  add_unknown(headers, sip, "Info-Package");
  add(headers, "Content-Disposition", sip->sip_content_disposition);
  add(headers, "Content-Encoding", sip->sip_content_encoding);
  add(headers, "Content-Language", sip->sip_content_language);
  add(headers, "MIME-Version", sip->sip_mime_version);
  return headers;
}

std::vector<Header> acceptance_of(const sip_t* sip) {
  std::vector<Header> headers;
  const int status = sip->sip_status->st_status;
  if (status == 405) add(headers, "Allow", sip->sip_allow);
  std::string accepted;
  for (const sip_accept_t* each = status == 415 ? sip->sip_accept : nullptr; each != nullptr;
       each = each->ac_next)
    accepted.append(accepted.empty() ? "" : ", ")
        .append(header_text(reinterpret_cast<const sip_header_t*>(each)));
  if (!accepted.empty()) headers.push_back({"Accept", std::move(accepted)});
  if (status == 469) add_unknown(headers, sip, "Recv-Info");
  return headers;
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

std::string reasons_of(const sip_t* sip) {
  std::string values;
  for (const sip_reason_t* each = sip->sip_reason; each != nullptr; each = each->re_next)
    values.append(values.empty() ? "" : ", ")
        .append(header_text(reinterpret_cast<const sip_header_t*>(each)));
  return passable_reasons(values);
}

std::optional<std::uint32_t> retry_after_of(const sip_t* sip) {
  constexpr msg_time_t kDay = 24 * 60 * 60;
  if (sip->sip_retry_after == nullptr) return {};
  return static_cast<std::uint32_t>(std::min(sip->sip_retry_after->af_delta, kDay));
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
