#include "vas/api/cors.h"

#include <algorithm>

#include "vas/api/with_fields.h"

namespace vas::api {

Cors::Headers Cors::headers_for(const std::string& origin) const {
  if (origin.empty()) return {};
  const auto has = [&](const std::string& each) {
    return std::find(origins_.begin(), origins_.end(), each) != origins_.end();
  };
  if (has("*")) return {{"Access-Control-Allow-Origin", "*"}};
  if (has(origin)) return {{"Access-Control-Allow-Origin", origin}, {"Vary", "Origin"}};
  return {};
}

bool Cors::is_preflight(const HttpRequest& request) {
  return request.method == "OPTIONS" && !request.origin.empty() && !request.asked_method.empty();
}

std::optional<HttpReply> Cors::preflight(const HttpRequest& request) const {
  Headers headers = headers_for(request.origin);
  if (headers.empty()) return {};
  headers.emplace_back("Access-Control-Allow-Methods", request.asked_method);
  headers.emplace_back("Access-Control-Allow-Headers", "*");
  headers.emplace_back("Access-Control-Max-Age", "86400");
  return HttpReply{.status = 204, .headers = std::move(headers)};
}

std::shared_ptr<Responder> Cors::open(const HttpRequest& request,
                                      std::shared_ptr<Responder> responder) const {
  Headers headers = headers_for(request.origin);
  if (headers.empty()) return responder;
  headers.emplace_back("Access-Control-Expose-Headers", "Retry-After, X-Session-Status");
  return std::make_shared<WithFields>(std::move(responder), std::move(headers));
}

}  // namespace vas::api
