// How one request to a backend went.
#pragma once

#include <string>

namespace vas::webhooks {

struct Reply {
  int status = 0;           // 0: none came
  std::string error;        // in words, where none came or it was no 2xx
  bool is_refused = false;  // the address guard forbade it: trying again would not help
  std::string body;         // of a 2xx, where the request wants it
};

}  // namespace vas::webhooks
