// One callback on its way to a backend.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"

namespace vas::webhooks {

struct Event {
  std::string id;              // webhook-id: the same however often it is sent
  std::string token;           // its session: events of one session go out in order
  std::int64_t number = 0;     // within the session, from 1
  std::int64_t domain_id = 0;  // whose secret signs it
  std::string url;
  std::string body;  // JSON
  WallTime created_at{};
  int tries = 0;
  WallTime next_try_at{};
  std::string last_error;  // of the last try, in words
};

}  // namespace vas::webhooks
