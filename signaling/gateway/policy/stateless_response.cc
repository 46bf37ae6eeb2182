#include "signaling/gateway/policy/stateless_response.h"

#include <fmt/format.h>

#include "base/text.h"
#include "signaling/sip/capabilities.h"
#include "signaling/sip/message_lines.h"
#include "signaling/sip/reason_phrase.h"

namespace vas::signaling {
namespace {

std::string stateless_tag(const SipMessage& request, const FlowSigner& signer) {
  std::string key = "stateless|";
  key += value_of(request, HeaderName::kCallId);
  key += '|';
  key += value_of(request, HeaderName::kFrom);
  return signer.keyed_hash(key);
}

}  // namespace

std::string stateless_response(const SipMessage& request, const Flow& source,
                               const StatelessResponse& response, const FlowSigner& signer) {
  const std::string_view why = response.why.empty() ? reason_phrase(response.status) : response.why;
  std::string out = fmt::format("SIP/2.0 {} {}\r\n", response.status, why);
  const HeaderField* top = request.first(HeaderName::kVia);
  for (const HeaderField& header : request.headers) {
    if (header.name == HeaderName::kVia) {
      const auto via = &header == top ? Via::parse(first_element(header.value)) : std::nullopt;
      if (!via) {
        append_line(out, header.line);
        continue;
      }
      append_line(out, "Via: " + with_received(*via, source));
      append_header(out, "Via", rest_elements(header.value));
    } else if (header.name == HeaderName::kTo) {
      append_line(out, std::string(header.line) +
                           (has_to_tag(request) ? std::string() : ";tag=" + stateless_tag(request, signer)));
    } else if (header.name == HeaderName::kFrom || header.name == HeaderName::kCallId ||
               header.name == HeaderName::kCseq) {
      append_line(out, header.line);
    }
  }
  if (response.retry_after_s != 0) out += fmt::format("Retry-After: {}\r\n", response.retry_after_s);
  if (response.says_allow) out += fmt::format("Allow: {}\r\n", kAllow);
  out += response.lines;
  out += "Content-Length: 0\r\n\r\n";
  return out;
}

bool is_ack_of_stateless_response(const SipMessage& ack, const FlowSigner& signer) {
  const auto tag = to_tag(ack);
  return tag && *tag == stateless_tag(ack, signer);
}

}  // namespace vas::signaling
