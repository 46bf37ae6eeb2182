// A small HTTP/1.1 server on control's loop. Beast stays in http_connection.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/endpoint.h"
#include "base/result.h"
#include "base/time.h"
#include "vas/api/tls_door.h"

namespace boost::asio {
class io_context;
}

namespace vas::api {

struct HttpRequest {
  std::optional<IpAddress>
      client;          // whom it is counted against; none: this host, or a proxy that names nobody
  std::string method;  // "GET"
  std::string path;    // decoded segments are up to the router; without the query
  std::string query;   // without the `?`
  std::string authorization;
  std::string content_type;
  std::string origin;           // of the page that asks; empty: no page
  std::string asked_method;     // that an OPTIONS asks leave for (Access-Control-Request-Method)
  std::string idempotency_key;  // as it stands there; several are joined by commas
  std::string body;
};

struct HttpReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  bool closes = false;
  Duration delay{};  // before it goes out: who guesses waits
};

// Where the reply to one request goes. Copyable; the first send() counts, later ones do nothing.
class Responder {
 public:
  virtual ~Responder() = default;
  virtual void send(HttpReply reply) = 0;
  // `gone` runs once if the client leaves before it got its reply.
  virtual void watch_client(std::function<void()> gone) = 0;
  // Whoever sent it has proved to be `owner`: its connection makes no room for strangers.
  virtual void vouch(std::int64_t owner) = 0;
};

using HttpHandler = std::function<void(const HttpRequest&, std::shared_ptr<Responder>)>;

// Whether the head of a request shows a right key: only then is much memory set aside for its body.
using HeadCheck = std::function<bool(const HttpRequest& head)>;

struct HttpServerConfig {
  Endpoint listen;
  std::size_t max_connections = 100'000;
  std::size_t strangers_of_address =
      256;                       // connections that have shown no right key or token (connection_shares.h)
  std::vector<Network> proxies;  // whose X-Forwarded-For is believed, and who are not counted by address
  TlsDoorConfig tls;             // HTTPS, where it listens anywhere; `proxies` and how many are ours
};

struct HttpCounters {
  std::size_t connections = 0;
  std::size_t body_bytes = 0;        // of requests that are being read
  std::uint64_t made_room = 0;       // connections of strangers closed for others
  std::uint64_t no_place = 0;        // connections refused: all places are taken by who proved to be somebody
  std::uint64_t bad_requests = 0;    // that are not HTTP/1.1, or could be read in two ways
  std::uint64_t bodies_refused = 0;  // for want of memory for them
  std::uint64_t handshakes = 0;      // of TLS (tls_door.h)
  std::uint64_t handshakes_refused = 0;
  std::uint64_t handshakes_failed = 0;
};

// Threads: all on the thread that runs `context`.
// Bounds:  connections as configured, kMaxConnections at most; kMaxBodyBytes of one body, kMaxBodiesBytes of
//          all that are being read, kMaxBodiesOfAddress of one address's, kMaxBodiesOfStrangers of those
//          without a right key; kMaxHeadBytes of start line and headers; 10 s for a request to arrive whole,
//          60 s between requests. HTTPS: tls_door.h; who is at its door counts among the connections.
class HttpServer {
 public:
  // Idle polls are cheap: 50,000 fit beside everything else.
  static constexpr std::size_t kMaxConnections = 100'000;
  // A routing plan of hundreds of routes.
  static constexpr std::size_t kMaxBodyBytes = 256 * 1024;
  // 256 of the largest at once.
  static constexpr std::size_t kMaxBodiesBytes = 64 * 1024 * 1024;
  // 32 of the largest: an eighth of all.
  static constexpr std::size_t kMaxBodiesOfAddress = 8 * 1024 * 1024;
  static constexpr std::size_t kMaxBodiesOfStrangers = 8 * 1024 * 1024;
  // Keys, tokens and a proxy's headers are a few hundred bytes.
  static constexpr std::size_t kMaxHeadBytes = 16 * 1024;

  static Result<std::unique_ptr<HttpServer>> open(boost::asio::io_context& context,
                                                  const HttpServerConfig& config, HttpHandler handler,
                                                  HeadCheck shows_key);
  virtual ~HttpServer() = default;
  virtual Endpoint listening() const = 0;
  virtual HttpCounters counters() const = 0;
  virtual TlsDoor* door() const = 0;  // null without HTTPS
};

}  // namespace vas::api
