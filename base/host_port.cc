#include "base/host_port.h"

#include <algorithm>

#include "base/endpoint.h"
#include "base/text.h"

namespace vas {
namespace {

// RFC 1123 §2.1. A last label of digits alone would be a mistyped address.
bool is_host_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  const auto labels = split(name, '.');
  const bool are_labels = std::all_of(labels.begin(), labels.end(), [](std::string_view label) {
    const auto is_allowed = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
             c == '_';
    };
    return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
           std::all_of(label.begin(), label.end(), is_allowed);
  });
  return are_labels && !parse_number<std::uint64_t>(labels.back());
}

}  // namespace

std::optional<HostPort> HostPort::parse(std::string_view text) {
  if (const auto address = Endpoint::parse(text))
    return HostPort{vas::to_string(address->address), address->port};
  const auto colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  if (!is_host_name(name)) return {};
  if (colon == std::string_view::npos) return HostPort{to_lower(name), 0};
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  if (!port || *port == 0) return {};
  return HostPort{to_lower(name), *port};
}

std::string to_string(const HostPort& server) {
  const auto address = IpAddress::parse(server.host);
  const std::string host = address ? to_host(*address) : server.host;
  return server.port == 0 ? host : host + ":" + std::to_string(server.port);
}

}  // namespace vas
