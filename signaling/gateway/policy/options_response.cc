#include "signaling/gateway/policy/options_response.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "signaling/sip/capabilities.h"

namespace vas::signaling {
namespace {

bool is_supported(std::string_view extension) {
  const auto known = split(kSupported, ',');
  return std::any_of(known.begin(), known.end(),
                     [&](std::string_view each) { return equals_ignoring_case(trim(each), extension); });
}

std::string unsupported_extensions(const SipMessage& request) {
  std::string unknown;
  for (const HeaderField& header : request.headers) {
    if (!equals_ignoring_case(trim(header.line.substr(0, header.line.find(':'))), "Require")) continue;
    for (const std::string_view each : elements(header.value)) {
      if (each.empty() || is_supported(each) || has_control_characters(each)) continue;
      unknown.append(unknown.empty() ? "" : ", ").append(each);
    }
  }
  return unknown;
}

}  // namespace

StatelessResponse respond_to_options(const SipMessage& request) {
  const std::string unknown = unsupported_extensions(request);
  if (!unknown.empty()) return {.status = 420, .lines = fmt::format("Unsupported: {}\r\n", unknown)};
  return {
      .status = 200,
      .lines = fmt::format("Allow: {}\r\nSupported: {}\r\nAccept: application/sdp\r\n", kAllow, kSupported)};
}

}  // namespace vas::signaling
