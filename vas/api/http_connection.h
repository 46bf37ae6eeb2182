// One connection to the API: reads requests, writes replies. Beast stays here and in its .cc.
#pragma once

#include <algorithm>
#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/shared_budget.h"
#include "base/source_block.h"
#include "base/thread_check.h"
#include "vas/api/byte_stream.h"
#include "vas/api/connection_shares.h"
#include "vas/api/http_head.h"
#include "vas/api/http_server.h"

namespace vas::api {

class HttpConnection;

// What connections share with their server, and may outlive it with: a handler of the loop keeps a connection
// until the loop itself goes.
struct HttpShared {
  HttpShared(HttpHandler to, HeadCheck check, const HttpServerConfig& from)
      : handler(std::move(to)),
        shows_key(std::move(check)),
        config(from),
        shares(places_of(from), from.strangers_of_address) {}
  // Who is still at the door of TLS has a descriptor of these too.
  static std::size_t newcomers_of(const HttpServerConfig& config) {
    return config.tls.listen.empty() ? 0 : std::min(config.tls.max_newcomers, config.max_connections / 4);
  }
  static std::size_t places_of(const HttpServerConfig& config) {
    return std::min(config.max_connections, HttpServer::kMaxConnections) - newcomers_of(config);
  }

  const HttpHandler handler;
  const HeadCheck shows_key;
  const HttpServerConfig config;
  ConnectionShares shares;
  SharedBudget<IpAddress, IpAddressHash> bodies{HttpServer::kMaxBodiesBytes, HttpServer::kMaxBodiesOfAddress};
  // Of who shows no right key: they take nothing of what the others have.
  SharedBudget<IpAddress, IpAddressHash> bodies_of_strangers{HttpServer::kMaxBodiesOfStrangers,
                                                             HttpServer::kMaxBodiesOfStrangers / 8};
  std::unordered_map<ConnectionShares::Id, HttpConnection*> open;
  ConnectionShares::Id next_id = 1;
  HttpCounters counters;
  std::unique_ptr<TlsDoor> door;
  std::atomic<int> guests_waiting{0};
};

// Keeps one client's connection: what was read and not parsed, the request that waits for its reply, its
// deadlines, and what its body takes of the shares. It decides whether a request can be read in one way only,
// and closes where it cannot. What is asked for, and by whom, it need not know:
// the handler says so (Responder::vouch).
//
// Threads: control only. Lifetime: held by its own pending operations, and by who owes it a reply.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(std::shared_ptr<HttpShared> shared, ConnectionShares::Id id, ByteStream::Socket socket,
                 TlsSession tls, const IpAddress& peer)
      : shared_(std::move(shared)),
        id_(id),
        peer_(peer),
        is_secure_(tls.ssl != nullptr),
        stream_(std::move(socket), std::move(tls)),
        deadline_(stream_.get_executor()),
        delay_(stream_.get_executor()) {
    shared_->open.emplace(id_, this);
  }
  ~HttpConnection() {
    give_back_body();
    shared_->shares.remove(id_);
    shared_->open.erase(id_);
  }
  void read();
  void send(HttpReply reply);
  void watch(std::function<void()> gone);
  void vouch(std::int64_t owner);
  void close();

 private:
  // Of what is read and not yet parsed: a chunk's size, an extension,
  // a trailer have no longer lines than this.
  static constexpr std::size_t kMaxUnparsedBytes = 32 * 1024;

  void read_head();
  void on_head();
  void read_body();
  void handle();
  void refuse(int status, const std::string& detail);
  void on_read_failure(const boost::beast::error_code& failure);
  void write(bool keeps_alive);
  void wait_for_close();
  void expires_after(Duration time);
  void expires_never() { deadline_.expires_at(boost::asio::steady_timer::time_point::max()); }
  void give_back_body();
  HttpRequest head() const;
  std::string all_of(std::string_view name) const;
  std::size_t fields() const;
  std::string_view unparsed() const {
    return {static_cast<const char*>(buffer_.data().data()), buffer_.size()};
  }

  const std::shared_ptr<HttpShared> shared_;
  const ConnectionShares::Id id_;
  const IpAddress peer_;
  const bool is_secure_;
  bool is_proved_ = false;
  ByteStream stream_;
  boost::asio::steady_timer deadline_;
  boost::asio::steady_timer delay_;
  boost::beast::flat_buffer buffer_{kMaxUnparsedBytes};
  HeadScanner head_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  std::size_t fields_of_head_ = 0;
  SharedBudget<IpAddress, IpAddressHash>* body_pool_ = nullptr;
  std::size_t body_bytes_ = 0;  // set aside of it
  std::optional<boost::beast::http::response<boost::beast::http::string_body>> response_;
  std::function<void()> gone_;
  bool is_replying_ = false;
  bool keeps_alive_ = false;  // as the request that waits for its reply wants it
  bool is_head_ = false;
  ThreadCheck thread_check_{"HttpConnection"};
};

}  // namespace vas::api
