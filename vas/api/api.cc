#include "vas/api/api.h"

#include "vas/api/problem.h"
#include "vas/api/session_resource.h"
#include "vas/base/text.h"

namespace vas::api {
namespace {

std::optional<int> hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return {};
}

// Percent-decoding of one segment (RFC 3986 §2.1); nothing when it is malformed or hides a control character.
std::optional<std::string> decode(std::string_view segment) {
  std::string decoded;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] != '%') {
      decoded += segment[i];
      continue;
    }
    const auto high = i + 2 < segment.size() ? hex_value(segment[i + 1]) : std::nullopt;
    const auto low = i + 2 < segment.size() ? hex_value(segment[i + 2]) : std::nullopt;
    if (!high || !low) return {};
    decoded += static_cast<char>(*high << 4 | *low);
    i += 2;
  }
  if (has_control_characters(decoded)) return {};
  return decoded;
}

}  // namespace

HttpHandler make_api(SessionService& service) {
  return [&service, sessions = SessionResource(service)](
             const HttpRequest& request, const std::shared_ptr<Responder>& responder) mutable {
    std::vector<std::string> path;
    for (const std::string_view segment :
         split(std::string_view(request.path).substr(request.path.empty() ? 0 : 1), '/')) {
      const auto decoded = decode(segment);
      if (!decoded) return responder->send(problem(400, "The path is not properly percent-encoded."));
      path.push_back(*decoded);
    }
    const std::string root = path.empty() ? "" : path.front();
    if (root == "healthz" && path.size() == 1) return responder->send({.body = "{\"status\":\"up\"}"});
    if (root == "readyz" && path.size() == 1) {
      if (service.is_draining()) return responder->send(problem(503, "This node is shutting down."));
      return responder->send({.body = "{\"status\":\"ready\"}"});
    }
    if (root == "calls") {
      path.erase(path.begin());
      return sessions.handle(request, path, responder);
    }
    responder->send(problem(404, "There is no such resource. docs/api.md lists them."));
  };
}

}  // namespace vas::api
