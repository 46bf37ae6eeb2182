// A small HTTP/1.1 server on control's loop. Beast stays inside its .cc.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "vas/base/endpoint.h"
#include "vas/base/result.h"

namespace boost::asio {
class io_context;
}

namespace vas::api {

struct HttpRequest {
  std::string method;  // "GET"
  std::string path;    // decoded segments are up to the router; without the query
  std::string query;   // without the `?`
  std::string authorization;
  std::string content_type;
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  bool closes = false;
};

// Where the answer to one request goes. Copyable; the first send() counts, later ones do nothing.
class Responder {
 public:
  virtual ~Responder() = default;
  virtual void send(HttpResponse response) = 0;
  // `gone` runs once if the client leaves before it got its answer.
  virtual void watch_client(std::function<void()> gone) = 0;
};

using HttpHandler = std::function<void(const HttpRequest&, std::shared_ptr<Responder>)>;

// Threads: all on the thread that runs `context`.
// Bounds:  `max_connections` at once, kMaxConnections at most; 256 KiB of body, 16 KiB of headers, 10 s for a
// request to arrive whole,
//          60 s between requests.
class HttpServer {
 public:
  static constexpr std::size_t kMaxConnections = 100'000;
  static constexpr std::size_t kMaxBodyBytes = 256 * 1024;

  static Result<std::unique_ptr<HttpServer>> open(boost::asio::io_context& context, const Endpoint& listen,
                                                  HttpHandler handler, std::size_t max_connections);
  virtual ~HttpServer() = default;
  virtual Endpoint listening() const = 0;
};

}  // namespace vas::api
