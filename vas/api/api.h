// The REST API: routes requests to their resources, after the key was checked. (docs/api.md)
#pragma once

#include <memory>

#include "vas/api/http_server.h"
#include "vas/api/session_service.h"

namespace vas::api {

// Lifetime: `service` outlives the handler. Threads: control only.
HttpHandler make_api(SessionService& service);

}  // namespace vas::api
