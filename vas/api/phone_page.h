// The browser phone of web/phone: part of the program, given to whoever asks.
#pragma once

#include <optional>
#include <string>

#include "vas/api/http_server.h"

namespace vas::api {

// Threads: any.
class PhonePage {
 public:
  // `server`: the URL of SIP over WebSocket, in which `{host}` is the page's own; empty: there is none, and
  // the page says so.
  explicit PhonePage(std::string server) : server_(std::move(server)) {}

  // Nothing for a path that is not below /phone.
  std::optional<HttpReply> reply(const HttpRequest& request) const;

 private:
  const std::string server_;
};

}  // namespace vas::api
