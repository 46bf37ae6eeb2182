// Asks a running node by its REST API.
#pragma once

#include <string>

#include "base/result.h"

namespace vas::vasctl {

struct ApiAccess {
  std::string url = "http://127.0.0.1:8080";
  std::string key;       // empty: read from `data_dir`/system.key
  std::string data_dir;  // of the node, when it runs here
};

// The reply's body. The error is the API's own sentence, or what kept us from asking.
Result<std::string> ask(const ApiAccess& access, const std::string& method, const std::string& path);

}  // namespace vas::vasctl
