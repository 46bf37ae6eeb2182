#include "vas/api/tls_door.h"

#include <openssl/err.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>
#include <thread>
#include <unordered_map>

#include "base/clock.h"
#include "base/log.h"
#include "vas/api/byte_stream.h"
#include "vas/api/client_address.h"
#include "vas/api/connection_shares.h"

namespace vas::api {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr Duration kReload = std::chrono::seconds(1);  // how often certificates are looked at
// After a failure, such as no descriptor being left.
constexpr Duration kAcceptRetry = std::chrono::milliseconds(100);
constexpr unsigned char kHandshakeRecord = 22;  // RFC 8446 §5.1

using Socket = ByteStream::Socket;
using Acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;
using Id = ConnectionShares::Id;

Endpoint endpoint_of(const tcp::endpoint& from) {
  sockaddr_storage storage{};
  std::memcpy(&storage, from.data(), from.size());
  return Endpoint::from_sockaddr(storage).value_or(Endpoint{});
}

// Accepted, and not handed over yet.
class Newcomer : public std::enable_shared_from_this<Newcomer> {
 public:
  // What becomes of it. Each is called once at most, on the door's thread.
  class Owner {
   public:
    virtual ~Owner() = default;
    // Null: its address may begin no handshake now.
    virtual TlsContext admit(const IpAddress& peer) = 0;
    virtual void on_ready(Newcomer& newcomer) = 0;
    virtual void on_gone(Newcomer& newcomer) = 0;
  };

  Newcomer(Owner& owner, Id id, Socket socket, const IpAddress& peer)
      : owner_(owner), id_(id), peer_(peer), socket_(std::move(socket)), deadline_(socket_.get_executor()) {}

  void start() {
    deadline_.expires_after(TlsDoor::kHandshakeDeadline);
    deadline_.async_wait([weak = weak_from_this()](error_code failure) {
      if (const auto self = weak.lock(); self && !failure) self->leave();
    });
    socket_.async_wait(Socket::wait_read, [self = shared_from_this()](error_code failure) {
      if (self->is_over_) return;
      failure ? self->leave() : self->begin();
    });
  }
  // Closes it, where it was not handed over.
  void leave() {
    if (std::exchange(is_over_, true)) return;
    const auto self = shared_from_this();
    deadline_.cancel();
    error_code ignored;
    socket_.close(ignored);
    owner_.on_gone(*this);
  }
  std::shared_ptr<TlsGuest> pop_guest() {
    error_code failure;
    const auto guest = std::make_shared<TlsGuest>(socket_.release(failure));
    guest->tls = std::move(tls_);
    guest->peer = peer_;
    return guest;
  }
  Id id() const { return id_; }
  const IpAddress& peer() const { return peer_; }
  bool has_begun() const { return has_begun_; }

 private:
  void begin() {
    unsigned char byte = 0;
    const bool is_tls =
        ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1 && byte == kHandshakeRecord;
    const TlsContext context = is_tls ? owner_.admit(peer_) : nullptr;
    if (context == nullptr) return leave();
    has_begun_ = true;
    error_code failure;
    socket_.non_blocking(true, failure);
    const int descriptor = socket_.native_handle();
    tls_.records = std::make_unique<TlsRecordGuard>();
    tls_.ssl.reset(SSL_new(context->native_handle()));
    if (!tls_.ssl || SSL_set_fd(tls_.ssl.get(), descriptor) != 1) return leave();
    // A record may be written in parts, from bytes that have moved meanwhile.
    SSL_set_mode(tls_.ssl.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    tls_.records->watch(tls_.ssl.get(), [descriptor] { ::shutdown(descriptor, SHUT_RDWR); });
    shake_hands();
  }
  void shake_hands() {
    ERR_clear_error();
    const int result = SSL_accept(tls_.ssl.get());
    if (result == 1) {
      is_over_ = true;
      deadline_.cancel();
      return owner_.on_ready(*this);
    }
    switch (SSL_get_error(tls_.ssl.get(), result)) {
      case SSL_ERROR_WANT_READ: return wait(Socket::wait_read);
      case SSL_ERROR_WANT_WRITE: return wait(Socket::wait_write);
      default: return leave();
    }
  }
  void wait(Socket::wait_type what) {
    socket_.async_wait(what, [self = shared_from_this()](error_code failure) {
      if (self->is_over_) return;
      failure ? self->leave() : self->shake_hands();
    });
  }

  Owner& owner_;
  const Id id_;
  const IpAddress peer_;
  TlsSession tls_;
  Socket socket_;
  asio::steady_timer deadline_;
  bool has_begun_ = false;
  bool is_over_ = false;
};

// Keeps the listening sockets, the certificates, the budget of handshakes, and who is at the door. It decides
// at the first byte whether an address may begin a handshake, and who makes room. Once a handshake is over
// the connection is no longer its affair: what is said there it need not know.
class TlsDoorImpl final : public TlsDoor, public Newcomer::Owner {
 public:
  TlsDoorImpl(const TlsDoorConfig& config, TlsContexts contexts, Deliver deliver)
      : config_(config),
        deliver_(std::move(deliver)),
        contexts_(std::move(contexts)),
        budget_(config.handshakes),
        shares_(config.max_newcomers, kMaxNewcomersOfAddress),
        reload_timer_(context_) {}
  ~TlsDoorImpl() override {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }
  void listen(const Endpoint& local) {
    auto& acceptor = *acceptors_.emplace_back(std::make_unique<Acceptor>(context_));
    const tcp::endpoint endpoint{asio::ip::make_address(vas::to_string(local.address)), local.port};
    acceptor.open(endpoint.protocol());
    acceptor.set_option(asio::socket_base::reuse_address(true));
    if (local.address.family == AddressFamily::kIpv6) acceptor.set_option(asio::ip::v6_only(true));
    acceptor.bind(endpoint);
    acceptor.listen();
  }
  void start() {
    for (const auto& acceptor : acceptors_) accept(*acceptor);
    reload_when_due();
    thread_ = std::thread([this] { context_.run(); });
    pthread_setname_np(thread_.native_handle(), "vas-https");
  }

  std::vector<Endpoint> listening() const override {
    std::vector<Endpoint> all;
    for (const auto& acceptor : acceptors_) all.push_back(endpoint_of(acceptor->local_endpoint()));
    return all;
  }
  const TlsDoorCounters& counters() const override { return counters_; }
  void prove(const IpAddress& peer) override {
    asio::post(context_, [this, peer] { budget_.prove(peer); });
  }
  void ask(Time now) override {
    pulse_.ask(now);
    asio::post(context_, [this] { pulse_.confirm(); });
  }
  const Pulse& pulse() const override { return pulse_; }

 private:
  void accept(Acceptor& acceptor) {
    acceptor.async_accept([this, &acceptor](error_code failure, Socket socket) {
      if (failure == asio::error::operation_aborted) return;
      if (failure) return retry(acceptor);
      greet(std::move(socket));
      accept(acceptor);
    });
  }
  // No descriptor is left, or the like: asking again at once would only burn the thread.
  void retry(Acceptor& acceptor) {
    const auto timer = std::make_shared<asio::steady_timer>(context_, kAcceptRetry);
    timer->async_wait([this, &acceptor, timer](error_code failure) {
      if (!failure) accept(acceptor);
    });
  }
  void greet(Socket socket) {
    error_code gone;
    const IpAddress peer = endpoint_of(socket.remote_endpoint(gone)).address;
    if (gone) return;
    const Id id = next_id_++;
    const auto place = shares_.add(id, peer, is_proxy(peer, config_.proxies));
    if (!place.is_taken) return;
    if (place.makes_room) {
      const auto found = newcomers_.find(*place.makes_room);
      if (found != newcomers_.end()) found->second->leave();
    }
    const auto newcomer = std::make_shared<Newcomer>(*this, id, std::move(socket), peer);
    newcomers_.emplace(id, newcomer);
    newcomer->start();
  }

  TlsContext admit(const IpAddress& peer) override {
    const Welcome welcome = is_proxy(peer, config_.proxies) ? Welcome::kTrusted : Welcome::kStranger;
    if (!budget_.draw(peer, welcome, monotonic_now())) {
      ++counters_.handshakes_refused;
      return nullptr;
    }
    ++counters_.handshakes;
    return contexts_.server();
  }
  void on_ready(Newcomer& newcomer) override {
    auto guest = newcomer.pop_guest();
    forget(newcomer);
    deliver_(std::move(guest));
  }
  void on_gone(Newcomer& newcomer) override {
    if (newcomer.has_begun()) ++counters_.handshakes_failed;
    forget(newcomer);
  }
  void forget(const Newcomer& newcomer) {
    shares_.remove(newcomer.id());
    newcomers_.erase(newcomer.id());
  }

  void reload_when_due() {
    contexts_.reload_if_changed();
    reload_timer_.expires_after(kReload);
    reload_timer_.async_wait([this](error_code failure) {
      if (!failure) reload_when_due();
    });
  }

  const TlsDoorConfig config_;
  const Deliver deliver_;
  asio::io_context context_{1};
  TlsContexts contexts_;
  HandshakeBudget budget_;
  ConnectionShares shares_;  // of newcomers
  std::unordered_map<Id, std::shared_ptr<Newcomer>> newcomers_;
  Id next_id_ = 1;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  asio::steady_timer reload_timer_;
  TlsDoorCounters counters_;
  Pulse pulse_;
  std::thread thread_;
};

}  // namespace

TlsGuest::~TlsGuest() {
  if (socket >= 0) ::close(socket);
}

Result<std::unique_ptr<TlsDoor>> TlsDoor::open(const TlsDoorConfig& config, Deliver deliver) {
  auto contexts = TlsContexts::open(config.certificates);
  if (!contexts) return Error{contexts.error()};
  auto door = std::make_unique<TlsDoorImpl>(config, std::move(*contexts), std::move(deliver));
  for (const Endpoint& local : config.listen) {
    try {
      door->listen(local);
    } catch (const boost::system::system_error& failure) {
      return Error{"cannot listen for HTTPS at " + to_string(local) + ": " + failure.code().message()};
    }
  }
  door->start();
  return std::unique_ptr<TlsDoor>(std::move(door));
}

}  // namespace vas::api
