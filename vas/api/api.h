// The REST API: finds the operation of a request, checks key and fields against the OpenAPI document, and
// hands it to its resource. (docs/api.md)
#pragma once

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

// Threads: control only.
HttpHandler make_api(const Services& services);

}  // namespace vas::api
