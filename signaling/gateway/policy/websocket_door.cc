#include "signaling/gateway/policy/websocket_door.h"

#include <algorithm>

#include "base/text.h"

namespace vas::signaling {
namespace {

// Of "name", "name:port", "[address]:port"; empty for anything else.
std::string_view host_of_authority(std::string_view authority) {
  const auto bracket = authority.starts_with('[') ? authority.find(']') : 0;
  if (bracket == std::string_view::npos) return {};
  const auto colon = authority.find(':', bracket);
  const std::string_view host = authority.substr(0, colon);
  if (bracket != 0 && host.size() != bracket + 1) return {};
  const std::string_view port = colon == std::string_view::npos ? "0" : authority.substr(colon + 1);
  if (!parse_number<std::uint16_t>(port)) return {};
  if (bracket == 0 && host.find_first_of("@/?#[]\\ ") != std::string_view::npos) return {};
  return host;
}

std::string_view without_final_dot(std::string_view name) {
  return name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
}

bool is_same_host(std::string_view a, std::string_view b) {
  const auto address = IpAddress::parse(a);
  if (address || IpAddress::parse(b)) return address == IpAddress::parse(b);
  return equals_ignoring_case(without_final_dot(a), without_final_dot(b));
}

// A wildcard stands for one label (RFC 6125 §6.4.3).
bool is_name_of_certificate(std::string_view name, const std::string& of_certificate) {
  if (!of_certificate.starts_with("*.")) return is_same_host(name, of_certificate);
  const auto dot = name.find('.');
  return dot != 0 && dot != std::string_view::npos &&
         is_same_host(name.substr(dot + 1), std::string_view(of_certificate).substr(2));
}

bool is_http(std::string_view origin) {
  return starts_with_ignoring_case(origin, "http://") || starts_with_ignoring_case(origin, "https://");
}

}  // namespace

std::string_view host_of_url(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  const std::string_view rest = url.substr(scheme + 3);
  return host_of_authority(rest.substr(0, rest.find_first_of("/?#")));
}

const char* WebSocketDoor::refusal(const Request& request) const {
  thread_check_.check();
  const std::string_view host = host_of_authority(request.host);
  if (host.empty() || !is_ours(host, request))
    return "This Host is no name or address of this server: see ws-host.\n";
  if (request.origin && !is_welcome(*request.origin, host))
    return "This Origin may not open connections here: see ws-origin.\n";
  return nullptr;
}

bool WebSocketDoor::is_ours(std::string_view host, const Request& request) const {
  if (std::any_of(names_.hosts.begin(), names_.hosts.end(),
                  [&](const std::string& each) { return each == "*" || is_same_host(host, each); }))
    return true;
  const bool is_of_certificate =
      request.is_secure &&
      std::any_of(certificate_names_.begin(), certificate_names_.end(),
                  [&](const std::string& each) { return is_name_of_certificate(host, each); });
  if (is_of_certificate) return true;
  if (const auto address = IpAddress::parse(host)) return is_our_address(*address, request.reached);
  return request.reached.is_loopback() && equals_ignoring_case(without_final_dot(host), "localhost");
}

bool WebSocketDoor::is_our_address(const IpAddress& address, const IpAddress& reached) const {
  if (address == reached || (reached.is_loopback() && address.is_loopback())) return true;
  const auto& all = listeners_.all();
  return std::any_of(all.begin(), all.end(), [&](const Listener& each) {
    return !address.is_unspecified() && (address == each.local.address || address == each.advertised.address);
  });
}

bool WebSocketDoor::is_welcome(std::string_view origin, std::string_view host) const {
  if (names_.origins.empty()) return is_http(origin) && is_same_host(host_of_url(origin), host);
  return std::any_of(names_.origins.begin(), names_.origins.end(), [&](const std::string& each) {
    return each == "*" || equals_ignoring_case(each, origin);
  });
}

}  // namespace vas::signaling
