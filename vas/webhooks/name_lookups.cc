#include "vas/webhooks/name_lookups.h"

#include <ares.h>
#include <netdb.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "base/clock.h"

namespace vas::webhooks {
namespace {

// Of the first try; the second has twice that. Both are within the ten seconds of a request.
constexpr int kTimeoutMs = 1500;
constexpr int kTries = 2;

}  // namespace

NameLookups::NameLookups(const std::optional<Endpoint>& server, Watch watch) : watch_(std::move(watch)) {
  static const int is_initialised = ares_library_init(ARES_LIB_INIT_ALL);
  (void)is_initialised;
  ares_options options{};
  options.timeout = kTimeoutMs;
  options.tries = kTries;
  options.sock_state_cb = on_socket_state;
  options.sock_state_cb_data = this;
  constexpr int kMask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
  if (ares_init_options(&channel_, &options, kMask) != ARES_SUCCESS) channel_ = nullptr;
  if (channel_ != nullptr && server) ares_set_servers_ports_csv(channel_, to_string(*server).c_str());
}

NameLookups::~NameLookups() {
  is_closing_ = true;
  if (channel_ != nullptr) ares_destroy(channel_);
}

void NameLookups::on_socket_state(void* self, int socket, int read, int write) {
  auto* lookups = static_cast<NameLookups*>(self);
  if (lookups->is_closing_) return;
  if (read == 0 && write == 0) {
    lookups->sockets_.erase(socket);
  } else {
    lookups->sockets_.insert(socket);
  }
  lookups->watch_(socket, read != 0, write != 0);
}

void NameLookups::resolve(const std::string& name, Done done) {
  thread_check_.check();
  const auto known = known_.find(name);
  if (known != known_.end() && known->second.until > monotonic_now()) {
    const Addresses addresses = known->second.addresses;
    return done(addresses);
  }
  if (channel_ == nullptr || waiting_ >= kMaxWaiting) return done({});
  ++waiting_;
  std::vector<Done>& asking = asking_[name];
  asking.push_back(std::move(done));
  if (asking.size() > 1) return;
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, on_reply, new Question{this, name});
}

void NameLookups::on_reply(void* question, int status, int, ares_addrinfo* found) {
  const std::unique_ptr<Question> asked(static_cast<Question*>(question));
  if (status == ARES_EDESTRUCTION) return;
  Addresses addresses;
  Duration ttl = kLongest;
  for (const auto* node = found != nullptr ? found->nodes : nullptr; node != nullptr; node = node->ai_next) {
    sockaddr_storage storage{};
    std::memcpy(&storage, node->ai_addr, std::min<std::size_t>(node->ai_addrlen, sizeof storage));
    const auto endpoint = Endpoint::from_sockaddr(storage);
    if (!endpoint || addresses.size() >= kMaxAddresses) continue;
    addresses.push_back(endpoint->address);
    ttl = std::min<Duration>(ttl, std::chrono::seconds(node->ai_ttl));
  }
  if (found != nullptr) ares_freeaddrinfo(found);
  asked->self->finish(asked->name, addresses, addresses.empty() ? kShortest : ttl);
}

void NameLookups::finish(const std::string& name, const Addresses& addresses, Duration ttl) {
  if (known_.size() >= kMaxNames) known_.clear();
  known_[name] = {addresses, monotonic_now() + std::clamp(ttl, kShortest, kLongest)};
  const auto asking = asking_.extract(name);
  if (asking.empty()) return;
  waiting_ -= asking.mapped().size();
  for (const Done& done : asking.mapped()) done(addresses);
}

void NameLookups::on_socket(int socket, bool readable, bool writable) {
  thread_check_.check();
  ares_process_fd(channel_, readable ? socket : ARES_SOCKET_BAD, writable ? socket : ARES_SOCKET_BAD);
}

void NameLookups::on_time() {
  thread_check_.check();
  if (channel_ != nullptr && waiting_ > 0) ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

std::optional<Duration> NameLookups::wait() const {
  timeval left{};
  if (channel_ == nullptr || ares_timeout(channel_, nullptr, &left) == nullptr) return {};
  return std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec);
}

}  // namespace vas::webhooks
