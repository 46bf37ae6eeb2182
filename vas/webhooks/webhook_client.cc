#include "vas/webhooks/webhook_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "base/check.h"
#include "base/clock.h"
#include "base/tls_groups.h"
#include "vas/webhooks/name_lookups.h"
#include "vas/webhooks/outbox.h"
#include "vas/webhooks/signature.h"
#include "vas/webhooks/url.h"

namespace vas::webhooks {
namespace {

// Half of the whole: a backend that ignores SYNs is known before its time is over.
constexpr long kConnectTimeoutMs = 5'000;
// Name, connection, TLS and reply together.
constexpr long kTotalTimeoutMs = 10'000;
constexpr long kIdleConnections = 1024;
constexpr int kEventsAtOnce = 128;

// Called when curl has put the system's authorities into the context of a connection.
CURLcode trust_authorities(CURL*, void* context, void* authorities) {
  const bool is_done = static_cast<const Authorities*>(authorities)->add_to(static_cast<SSL_CTX*>(context));
  return is_done ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

}  // namespace

// What curl's multi interface needs of an event loop: its sockets in an epoll set, and one timer.
class WebhookClient::Loop {
 public:
  explicit Loop(const Limits& limits)
      : multi_(curl_multi_init()),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        wakeup_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
        lookups_(limits.dns_server,
                 [this](int socket, bool read, bool write) { watch_lookup(socket, read, write); }) {
    VAS_CHECK(multi_ != nullptr && epoll_ >= 0 && wakeup_ >= 0, "no descriptor is left to start with");
    watch(wakeup_, EPOLLIN, EPOLL_CTL_ADD);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    // Connections that idle count among those that are used: their sum stays within the limit.
    const auto most = static_cast<long>(limits.under_way);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, std::min(kIdleConnections, most));
    curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, most);
  }
  ~Loop() {
    curl_multi_cleanup(multi_);
    close(wakeup_);
    close(epoll_);
  }
  CURLM* multi() { return multi_; }
  NameLookups& lookups() { return lookups_; }
  void wake() {
    const std::uint64_t one = 1;
    (void)!write(wakeup_, &one, sizeof one);
  }
  // Waits for sockets, the timer or wake(), and lets curl work.
  void turn() {
    std::array<epoll_event, kEventsAtOnce> events{};
    const int count = epoll_wait(epoll_, events.data(), kEventsAtOnce, milliseconds_left());
    int running = 0;
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.fd == wakeup_) {
        std::uint64_t ignored = 0;
        (void)!read(wakeup_, &ignored, sizeof ignored);
        continue;
      }
      if (lookups_.owns(event.data.fd)) {
        const bool is_broken = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
        lookups_.on_socket(event.data.fd, (event.events & EPOLLIN) != 0 || is_broken,
                           (event.events & EPOLLOUT) != 0);
        continue;
      }
      const int what = ((event.events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                       ((event.events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                       ((event.events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
      curl_multi_socket_action(multi_, event.data.fd, what, &running);
    }
    lookups_.on_time();
    if (deadline_ && monotonic_now() >= *deadline_) {
      deadline_.reset();
      curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
    }
  }

 private:
  static int on_socket(CURL*, curl_socket_t socket, int what, void* self, void* is_known) {
    auto* loop = static_cast<Loop*>(self);
    if (what == CURL_POLL_REMOVE) {
      epoll_ctl(loop->epoll_, EPOLL_CTL_DEL, socket, nullptr);
      return 0;
    }
    const std::uint32_t events = ((what & CURL_POLL_IN) != 0 ? std::uint32_t{EPOLLIN} : 0u) |
                                 ((what & CURL_POLL_OUT) != 0 ? std::uint32_t{EPOLLOUT} : 0u);
    loop->watch(socket, events, is_known != nullptr ? EPOLL_CTL_MOD : EPOLL_CTL_ADD);
    curl_multi_assign(loop->multi_, socket, loop);
    return 0;
  }
  static int on_timer(CURLM*, long milliseconds, void* self) {
    auto* loop = static_cast<Loop*>(self);
    loop->deadline_.reset();
    if (milliseconds >= 0) loop->deadline_ = monotonic_now() + std::chrono::milliseconds(milliseconds);
    return 0;
  }
  void watch_lookup(int socket, bool read, bool write) {
    if (!read && !write) {
      epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, nullptr);
      return;
    }
    const std::uint32_t events =
        (read ? std::uint32_t{EPOLLIN} : 0u) | (write ? std::uint32_t{EPOLLOUT} : 0u);
    if (!watch(socket, events, EPOLL_CTL_MOD)) watch(socket, events, EPOLL_CTL_ADD);
  }
  bool watch(int descriptor, std::uint32_t what, int operation) {
    epoll_event event{};
    event.events = what;
    event.data.fd = descriptor;
    return epoll_ctl(epoll_, operation, descriptor, &event) == 0;
  }
  int milliseconds_left() const {
    auto wait = lookups_.wait();
    if (deadline_) {
      const Duration left_of_curl = *deadline_ - monotonic_now();
      wait = wait ? std::min(*wait, left_of_curl) : left_of_curl;
    }
    if (!wait) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*wait).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  }

  CURLM* multi_;
  const int epoll_;
  const int wakeup_;
  std::optional<Time> deadline_;
  NameLookups lookups_;
};

struct WebhookClient::Transfer {
  const AddressGuard* guard = nullptr;
  WebhookRequest request;
  std::string endpoint;
  Done done;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  std::string received;
  std::string refused;  // the address that the guard forbade
  Time begun{};
  curl_slist* addresses = nullptr;  // of its name

  ~Transfer() {
    if (easy != nullptr) curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    curl_slist_free_all(addresses);
  }
  void add_header(const std::string& line) { headers = curl_slist_append(headers, line.c_str()); }

  // A reply without end is cut; where nobody wants the body it is only counted.
  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& received = static_cast<Transfer*>(self)->received;
    if (received.size() + size * count > kMaxReplyBytes) return 0;
    received.append(bytes, size * count);
    return size * count;
  }
  // Called with the very address that is connected to next: no second look-up can put another in its place.
  static curl_socket_t on_connect(void* self, curlsocktype, curl_sockaddr* address) {
    auto* transfer = static_cast<Transfer*>(self);
    sockaddr_storage storage{};
    std::memcpy(&storage, &address->addr, std::min<std::size_t>(address->addrlen, sizeof storage));
    const auto endpoint = Endpoint::from_sockaddr(storage);
    if (!endpoint || !transfer->guard->lets_through(endpoint->address)) {
      transfer->refused = endpoint ? to_string(endpoint->address) : "its address";
      return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  }
};

WebhookClient::WebhookClient(AddressGuard guard, Post post, const Limits& limits)
    : guard_(std::move(guard)),
      post_(std::move(post)),
      most_under_way_(std::min(limits.under_way, kMaxQueued)),
      authorities_(limits.authorities),
      domains_(most_under_way_, most_under_way_),
      tenants_(most_under_way_, most_under_way_) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  loop_ = std::make_unique<Loop>(limits);
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "vas-webhooks");
}

WebhookClient::~WebhookClient() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  loop_->wake();
  thread_.join();
  for (const auto& [easy, transfer] : running_) curl_multi_remove_handle(loop_->multi(), easy);
  running_.clear();
  resolving_.clear();
}

std::size_t WebhookClient::under_way() const {
  const std::lock_guard lock(mutex_);
  return domains_.taken();
}

// Why the request cannot be taken now; nothing: it is counted. Under mutex_.
const char* WebhookClient::fault_of(const WebhookRequest& request, const std::string& endpoint) {
  const auto to_endpoint = per_endpoint_.find(endpoint);
  if (to_endpoint != per_endpoint_.end() && to_endpoint->second >= kMaxPerEndpoint)
    return "too many requests to this endpoint are under way";
  const std::size_t share = most_under_way_ - most_under_way_ / 4;
  const auto most = [share](std::size_t cap) { return cap != 0 ? std::min(cap, share) : share; };
  if (!tenants_.draw(request.tenant_id, 1, most(request.most_of_tenant)))
    return "too many requests, or too many of this tenant, are under way";
  if (!domains_.draw(request.domain_id, 1, most(request.most_of_domain))) {
    tenants_.give_back(request.tenant_id, 1);
    return "too many requests of this domain are under way";
  }
  ++per_endpoint_[endpoint];
  return nullptr;
}

void WebhookClient::post(WebhookRequest request, Done done) {
  const char* fault = nullptr;
  {
    std::string endpoint = endpoint_of(request.url);
    const std::lock_guard lock(mutex_);
    fault = fault_of(request, endpoint);
    if (fault == nullptr) {
      auto transfer = std::make_unique<Transfer>();
      transfer->guard = &guard_;
      transfer->request = std::move(request);
      transfer->endpoint = std::move(endpoint);
      transfer->done = std::move(done);
      waiting_.push_back(std::move(transfer));
      loop_->wake();
      return;
    }
  }
  post_([done = std::move(done), fault] { done({.error = fault}); });
}

void WebhookClient::ask(Time now) {
  pulse_.ask(now);
  loop_->wake();
}

void WebhookClient::run() {
  for (;;) {
    pulse_.confirm();
    std::vector<std::unique_ptr<Transfer>> fresh;
    {
      const std::lock_guard lock(mutex_);
      if (is_stopping_) return;
      fresh.swap(waiting_);
    }
    for (auto& transfer : fresh) begin(std::move(transfer));
    loop_->turn();
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(loop_->multi(), &left)) {
      if (message->msg == CURLMSG_DONE) finish(message->easy_handle, message->data.result);
    }
  }
}

// Names are looked up here: curl would start a thread for each.
void WebhookClient::begin(std::unique_ptr<Transfer> transfer) {
  transfer->begun = monotonic_now();
  const auto host = host_of_url(transfer->request.url);
  if (!host) return reply(std::move(transfer), {.error = "its URL names no host"});
  if (IpAddress::parse(host->name)) return connect(std::move(transfer));
  look_up(std::move(transfer), host->name, host->port);
}

void WebhookClient::look_up(std::unique_ptr<Transfer> transfer, const std::string& name,
                            const std::string& port) {
  const std::uint64_t number = next_look_up_++;
  resolving_.emplace(number, std::move(transfer));
  loop_->lookups().resolve(name, [this, number, name, port](const NameLookups::Addresses& addresses) {
    auto found = resolving_.extract(number);
    if (found.empty()) return;
    std::unique_ptr<Transfer> resolved = std::move(found.mapped());
    if (addresses.empty()) return reply(std::move(resolved), {.error = "could not resolve host: " + name});
    std::string all;
    for (const IpAddress& address : addresses) all += (all.empty() ? "" : ",") + to_host(address);
    // `+`: curl forgets it again. With and without the dot at the end, which curl takes off.
    const std::string bare = name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
    for (const std::string& each : {bare, bare + "."}) {
      const std::string line = "+" + each + ":" + port + ":" + all;
      resolved->addresses = curl_slist_append(resolved->addresses, line.c_str());
    }
    connect(std::move(resolved));
  });
}

void WebhookClient::connect(std::unique_ptr<Transfer> transfer) {
  const WebhookRequest& request = transfer->request;
  CURL* easy = curl_easy_init();
  transfer->easy = easy;
  const auto timestamp = std::to_string(
      std::chrono::duration_cast<std::chrono::seconds>(request.timestamp.time_since_epoch()).count());
  transfer->add_header("Content-Type: application/json");
  transfer->add_header("Expect:");  // bodies are small: no round trip to ask whether they may come
  transfer->add_header("webhook-id: " + request.id);
  transfer->add_header("webhook-timestamp: " + timestamp);
  if (!request.secrets.empty())
    transfer->add_header("webhook-signature: " +
                         signatures(request.secrets, request.id, timestamp, request.body));

  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(easy, CURLOPT_SSL_EC_CURVES, kTlsGroups);  // the server is a customer's
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, trust_authorities);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, &authorities_);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
  const long spent = static_cast<long>((monotonic_now() - transfer->begun) / std::chrono::milliseconds(1));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, std::max(1L, kTotalTimeoutMs - spent));
  curl_easy_setopt(easy, CURLOPT_RESOLVE, transfer->addresses);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "VAS");
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, Transfer::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer.get());
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, Transfer::on_connect);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer.get());
  running_.emplace(easy, std::move(transfer));
  curl_multi_add_handle(loop_->multi(), easy);
}

void WebhookClient::finish(void* easy, int result) {
  const auto found = running_.find(easy);
  if (found == running_.end()) return;
  std::unique_ptr<Transfer> transfer = std::move(found->second);
  running_.erase(found);
  curl_multi_remove_handle(loop_->multi(), easy);

  Reply reply;
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  const bool was_cut = result == CURLE_WRITE_ERROR;  // of a body that nobody reads to its end
  if (result == CURLE_OK || (was_cut && !transfer->request.wants_body))
    reply.status = static_cast<int>(status);
  if (reply.status == 0 && !transfer->refused.empty()) {
    reply.is_refused = true;
    reply.error =
        "refused: " + transfer->refused +
        " is inside the platform's own network (webhook-allow lets through what the operator trusts)";
  } else if (reply.status == 0) {
    reply.error = was_cut ? "the answer is over 64 KiB" : curl_easy_strerror(static_cast<CURLcode>(result));
  } else if (reply.status / 100 != 2) {
    reply.error = "answered " + std::to_string(reply.status);
  } else if (transfer->request.wants_body) {
    reply.body = std::move(transfer->received);
  }
  this->reply(std::move(transfer), std::move(reply));
}

void WebhookClient::reply(std::unique_ptr<Transfer> transfer, Reply reply) {
  post_([done = std::move(transfer->done), reply = std::move(reply)] { done(reply); });
  const std::lock_guard lock(mutex_);
  domains_.give_back(transfer->request.domain_id, 1);
  tenants_.give_back(transfer->request.tenant_id, 1);
  const auto of_endpoint = per_endpoint_.find(transfer->endpoint);
  if (--of_endpoint->second == 0) per_endpoint_.erase(of_endpoint);
}

}  // namespace vas::webhooks
