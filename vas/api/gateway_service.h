// What operators ask of the gateway: who is banned, and what was said in a call.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/time.h"

namespace vas::api {

struct BannedSource {
  std::string source;  // an address; of IPv6 the first of its /64
  std::string reason;
  std::int64_t seconds_left = 0;
  std::uint64_t dropped = 0;  // messages since
};

struct TracedMessage {
  WallTime at{};
  std::string transport;
  std::string from;
  std::string to;
  std::string text;
};

// Threads: control only; what comes back comes there too.
class GatewayService {
 public:
  virtual ~GatewayService() = default;
  virtual void list_bans(std::function<void(const std::vector<BannedSource>&)> done) = 0;
  virtual void lift_ban(const IpAddress& source, std::function<void(bool was_banned)> done) = 0;
  // Of the session of this token, or of the only one that begins so.
  virtual void trace(const std::string& token,
                     std::function<void(const std::vector<TracedMessage>&)> done) = 0;
};

}  // namespace vas::api
