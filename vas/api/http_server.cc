#include "vas/api/http_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>

#include "base/socket_options.h"
#include "base/thread_check.h"
#include "vas/api/client_address.h"
#include "vas/api/http_connection.h"

namespace vas::api {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// Of a client that waits for a call and says nothing: gone within a minute, and no middlebox forgets it.
constexpr TcpKeepAlive kKeepAlive{
    .idle = std::chrono::seconds(30), .between = std::chrono::seconds(10), .probes = 3};
// Handed over by the door of TLS, and not taken up by control yet.
constexpr int kMaxGuestsWaiting = 1024;

constexpr auto kAcceptRetry =
    std::chrono::milliseconds(100);  // after a failure, such as no descriptor being left

// Keeps the listening socket, and the door of TLS where there is one. It decides who gets a place and who
// makes room for him (ConnectionShares). Connections live on by themselves.
class HttpServerImpl final : public HttpServer {
 public:
  HttpServerImpl(asio::io_context& context, const HttpServerConfig& config, HttpHandler handler,
                 HeadCheck shows_key)
      : acceptor_(context),
        retry_timer_(context),
        shared_(std::make_shared<HttpShared>(std::move(handler), std::move(shows_key), config)) {}
  ~HttpServerImpl() override { shared_->door.reset(); }
  void open(const tcp::endpoint& endpoint) {
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen();
    accept();
  }
  Result<bool> open_door() {
    if (shared_->config.tls.listen.empty()) return true;
    TlsDoorConfig config = shared_->config.tls;
    config.max_newcomers = HttpShared::newcomers_of(shared_->config);
    config.proxies = shared_->config.proxies;
    auto door = TlsDoor::open(
        config, [executor = acceptor_.get_executor(), weak = std::weak_ptr(shared_)](
                    std::shared_ptr<TlsGuest> guest) { adopt(executor, weak, std::move(guest)); });
    if (!door) return Error{door.error()};
    shared_->door = std::move(*door);
    return true;
  }
  Endpoint listening() const override {
    thread_check_.check();
    sockaddr_storage storage{};
    const auto local = acceptor_.local_endpoint();
    std::memcpy(&storage, local.data(), local.size());
    return *Endpoint::from_sockaddr(storage);
  }
  HttpCounters counters() const override {
    thread_check_.check();
    HttpCounters counters = shared_->counters;
    counters.connections = shared_->shares.size();
    counters.body_bytes = shared_->bodies.taken() + shared_->bodies_of_strangers.taken();
    if (shared_->door) {
      counters.handshakes = shared_->door->counters().handshakes;
      counters.handshakes_refused = shared_->door->counters().handshakes_refused;
      counters.handshakes_failed = shared_->door->counters().handshakes_failed;
    }
    return counters;
  }
  TlsDoor* door() const override {
    thread_check_.check();
    return shared_->door.get();
  }

 private:
  void accept() {
    acceptor_.async_accept([this](boost::system::error_code failure, auto socket) {
      if (failure == asio::error::operation_aborted) return;
      thread_check_.check();
      if (failure) return retry();
      serve(shared_, std::move(socket));
      accept();
    });
  }
  // On the door's thread.
  static void adopt(const asio::io_context::executor_type& executor, const std::weak_ptr<HttpShared>& to,
                    std::shared_ptr<TlsGuest> guest) {
    const auto shared = to.lock();
    if (!shared || shared->guests_waiting >= kMaxGuestsWaiting) return;
    ++shared->guests_waiting;
    asio::post(executor, [to, executor, guest = std::move(guest)] {
      const auto taker = to.lock();
      if (!taker) return;
      --taker->guests_waiting;
      ByteStream::Socket socket(executor);
      boost::system::error_code failure;
      socket.assign(guest->peer.family == AddressFamily::kIpv4 ? tcp::v4() : tcp::v6(), guest->socket,
                    failure);
      if (failure) return;
      guest->release_socket();
      serve(taker, std::move(socket), guest->peer, std::move(guest->tls));
    });
  }
  static void serve(const std::shared_ptr<HttpShared>& shared, ByteStream::Socket socket) {
    boost::system::error_code failure;
    const auto peer = socket.remote_endpoint(failure);
    if (failure) return;  // gone already
    sockaddr_storage storage{};
    std::memcpy(&storage, peer.data(), peer.size());
    serve(shared, std::move(socket), Endpoint::from_sockaddr(storage)->address, {});
  }
  static void serve(const std::shared_ptr<HttpShared>& shared, ByteStream::Socket socket,
                    const IpAddress& address, TlsSession tls) {
    const auto id = shared->next_id++;
    const auto place = shared->shares.add(id, address, is_proxy(address, shared->config.proxies));
    if (!place.is_taken) {
      ++shared->counters.no_place;
      return;
    }
    if (place.makes_room) {
      ++shared->counters.made_room;
      const auto found = shared->open.find(*place.makes_room);
      if (found != shared->open.end()) found->second->close();
    }
    keep_alive(socket.native_handle(), kKeepAlive);
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    std::make_shared<HttpConnection>(shared, id, std::move(socket), std::move(tls), address)->read();
  }
  void retry() {
    retry_timer_.expires_after(kAcceptRetry);
    retry_timer_.async_wait([this](boost::system::error_code failure) {
      if (!failure) accept();
    });
  }

  asio::basic_socket_acceptor<tcp, asio::io_context::executor_type> acceptor_;
  asio::steady_timer retry_timer_;
  const std::shared_ptr<HttpShared> shared_;
  ThreadCheck thread_check_{"HttpServer"};
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::open(asio::io_context& context,
                                                     const HttpServerConfig& config, HttpHandler handler,
                                                     HeadCheck shows_key) {
  auto server = std::make_unique<HttpServerImpl>(context, config, std::move(handler), std::move(shows_key));
  try {
    const auto address = asio::ip::make_address(vas::to_string(config.listen.address));
    server->open({address, config.listen.port});
  } catch (const boost::system::system_error& failure) {
    return Error{"cannot listen for HTTP at " + to_string(config.listen) + ": " + failure.code().message()};
  }
  if (auto opened = server->open_door(); !opened) return Error{opened.error()};
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace vas::api
