// The REST API: finds the operation of a request, checks key and fields against the OpenAPI document, and
// hands it to its resource. (docs/api.md)
#pragma once

#include "vas/api/client_ledger.h"
#include "vas/api/directory_service.h"
#include "vas/api/gateway_service.h"
#include "vas/api/http_server.h"
#include "vas/api/platform_service.h"
#include "vas/api/session_service.h"

namespace vas::api {

struct Services {  // borrowed; all outlive the handler
  SessionService& sessions;
  DirectoryService& directory;
  PlatformService& platform;
  GatewayService& gateway;
};

// Counts of what the API turned away; outlives the handler.
struct ApiCounters {
  std::uint64_t wrong_keys = 0;
  std::uint64_t wrong_polls = 0;
  std::uint64_t limited_clients = 0;  // 429 for what their address did
  std::uint64_t limited_domains = 0;  // 429 for what their domain did
};

struct ApiEntry {
  HttpHandler handle;
  HeadCheck shows_key;
};

struct ApiConfig {
  ClientLedger::Limits clients;
  std::vector<std::string> cors_origins = {"*"};  // whose pages may read what needs no key (cors.h)
};

// Threads: control only.
ApiEntry make_api(const Services& services, const ApiConfig& config, ApiCounters& counters);

}  // namespace vas::api
