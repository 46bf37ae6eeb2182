// What pages of other origins may read of the API: what needs no key, and nothing else. (Fetch §3.2)
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "vas/api/http_server.h"

namespace vas::api {

// A page that has its token waits for its call itself. Nothing that a browser adds of its own accord proves
// anything here (there are no cookies), so any page may ask unless the operator says which. Credentials are
// never allowed: neither cookies, nor `Authorization`, which `*` does not cover.
//
// Threads: any, immutable.
class Cors {
 public:
  // `origins`: as browsers say them, or `*` for all; empty: none.
  explicit Cors(std::vector<std::string> origins) : origins_(std::move(origins)) {}

  static bool is_preflight(const HttpRequest& request);
  // To a preflight of what needs no key. Nothing where the origin may not ask.
  std::optional<HttpReply> preflight(const HttpRequest& request) const;
  // The one that lets the page of `request` read what is sent to it; `responder` itself where it may not.
  std::shared_ptr<Responder> open(const HttpRequest& request, std::shared_ptr<Responder> responder) const;

 private:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  Headers headers_for(const std::string& origin) const;

  const std::vector<std::string> origins_;
};

}  // namespace vas::api
