#include "vas/api/phone_page.h"

#include <boost/json.hpp>

#include "base/json.h"
#include "vas/api/problem.h"

namespace vas::api {
namespace {

#include "vas/api/phone_files.inc"

constexpr std::string_view kRoot = "/phone";

// Nothing comes from elsewhere, nobody frames it, and the microphone is the page's own.
HttpReply file(std::string_view type, std::string_view text) {
  return {.content_type = std::string(type),
          .body = std::string(text),
          .headers = {
              {"Content-Security-Policy",
               "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; media-src 'self'; "
               "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
              {"Permissions-Policy", "microphone=(self), camera=(), geolocation=()"},
              {"X-Content-Type-Options", "nosniff"},
              {"Referrer-Policy", "no-referrer"},
              {"Cache-Control", "no-cache"}}};
}

}  // namespace

std::optional<HttpReply> PhonePage::reply(const HttpRequest& request) const {
  const std::string_view path = request.path;
  if (!path.starts_with(kRoot) || (path.size() > kRoot.size() && path[kRoot.size()] != '/')) return {};
  if (request.method != "GET" && request.method != "HEAD") {
    HttpReply refused = problem(405, "The phone's page answers GET only.");
    refused.headers.emplace_back("Allow", "GET, HEAD");
    return refused;
  }
  const std::string_view name = path.substr(kRoot.size());
  // Its files are named relative to it: without the slash they would be sought beside it.
  if (name.empty()) return HttpReply{.status = 308, .headers = {{"Location", "phone/"}}};
  if (name == "/") return file("text/html; charset=utf-8", kPhoneHtml);
  if (name == "/phone.css") return file("text/css; charset=utf-8", kPhoneCss);
  if (name == "/phone.js") return file("text/javascript; charset=utf-8", kPhoneJs);
  if (name != "/settings.json") return problem(404, "The phone has no such file.");
  if (server_.empty())
    return problem(404, "This node listens over no WebSocket: set `wss-listen`, or `phone-server`.");
  return file("application/json", to_text(boost::json::object{{"server", server_}}));
}

}  // namespace vas::api
