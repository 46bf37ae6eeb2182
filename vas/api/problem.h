// Errors of the API: RFC 9457 problem documents with a sentence that a person can act on.
#pragma once

#include <string>

#include "vas/api/directory_service.h"
#include "vas/api/http_server.h"

namespace vas::api {

HttpResponse problem(int status, const std::string& detail, bool closes = false);
HttpResponse problem(const Refused& refused);

}  // namespace vas::api
