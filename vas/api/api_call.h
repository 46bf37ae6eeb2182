// One request that was found to be in order: what its operation works on, and where the reply goes.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/page.h"
#include "vas/api/http_server.h"
#include "vas/api/problem.h"
#include "vas/directory/directory.h"

namespace vas::api {

// Lifetime: the pointers into the directory hold until the operation first waits; copy what is needed later.
struct ApiCall {
  std::vector<std::pair<std::string, std::string>> path_parameters;  // decoded
  boost::json::object query;                                         // checked
  boost::json::object body;                                          // checked; {} where there was none
  const directory::ApiKey* key = nullptr;                            // null where the operation is public
  const directory::Domain* domain = nullptr;                         // where the path names one
  std::optional<std::string> idempotency_key;  // where the operation takes one, and it was sent
  std::shared_ptr<Responder> responder;

  const std::string& path(std::string_view name) const {
    static const std::string none;
    for (const auto& [key_of, value] : path_parameters) {
      if (key_of == name) return value;
    }
    return none;
  }
  void reply(int status, std::string json) const {
    responder->send({.status = status, .body = std::move(json)});
  }
  void fail(int status, const std::string& detail) const { responder->send(problem(status, detail)); }
};

// By operationId.
using Operations = std::unordered_map<std::string, std::function<void(ApiCall&)>>;

// `limit` and `after` of a list.
PageRequest page_request(const ApiCall& call);
// Replies with the page and, where there is more, a Link header to the next (RFC 8288).
void send_page(const std::shared_ptr<Responder>& responder, const std::string& path,
               std::optional<Page> page);

}  // namespace vas::api
