// Errors of the API: RFC 9457 problem documents with a sentence that a person can act on.
#pragma once

#include <string>

#include "vas/api/directory_service.h"
#include "vas/api/http_server.h"

namespace vas::api {

HttpReply problem(int status, const std::string& detail, bool closes = false);
HttpReply problem(const Refused& refused);

}  // namespace vas::api
