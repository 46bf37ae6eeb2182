#include "signaling/gateway/net/resolver.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cmath>
#include <cstring>
#include <map>

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "base/thread_check.h"

namespace vas::signaling {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// Of the first try; the second has twice that. Together less than a route waits for its first response.
constexpr int kTimeoutMs = 1000;
constexpr int kTries = 2;
constexpr Duration kTick = std::chrono::milliseconds(250);  // c-ares's own timeouts are looked at so often
// A TTL of 0 would have every INVITE ask anew.
constexpr int kShortestSeconds = 5;
// A name that has moved is found within the hour, whatever its TTL was.
constexpr int kLongestSeconds = 3600;
// That there is no such name is remembered too: its INVITEs ask nobody meanwhile.
constexpr Duration kNoSuchName = std::chrono::seconds(10);

struct SrvRecord {
  std::string host;
  std::uint16_t port = 0;
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
};

std::string srv_name(const std::string& host, Transport transport) {
  switch (transport) {
    case Transport::kTls: return "_sips._tcp." + host;
    case Transport::kTcp: return "_sip._tcp." + host;
    case Transport::kUdp:
    case Transport::kWs:
    case Transport::kWss: break;
  }
  return "_sip._udp." + host;
}

// Lower priority first; within one, by lot, weighted (RFC 2782).
void put_in_order(std::vector<SrvRecord>& records) {
  std::vector<std::pair<double, SrvRecord>> keyed;
  for (SrvRecord& record : records) {
    const double lot = (static_cast<double>(random_u32()) + 1) / 4294967297.0;
    keyed.emplace_back(record.priority * 1e4 - std::log(lot) / (record.weight + 0.01), std::move(record));
  }
  std::sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  records.clear();
  for (auto& each : keyed) records.push_back(std::move(each.second));
}

// Watches the sockets that c-ares opens, and looks at its timeouts.
class AresChannel {
 public:
  AresChannel(asio::io_context& context, std::optional<Endpoint> server)
      : context_(context), timer_(context) {
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
  ~AresChannel() {
    is_closing_ = true;
    if (channel_ != nullptr) ares_destroy(channel_);
    for (auto& [socket, watch] : watches_) watch->descriptor.release();
  }

  ares_channel get() const { return channel_; }
  // After a query: c-ares may wait for its timeouts.
  void wake() {
    if (is_ticking_) return;
    is_ticking_ = true;
    tick();
  }

 private:
  struct Watch {
    explicit Watch(asio::io_context& context, int socket) : descriptor(context, socket) {}
    asio::posix::stream_descriptor descriptor;
    bool wants_read = false, wants_write = false;
    bool is_reading = false, is_writing = false;
  };

  static void on_socket_state(void* self, ares_socket_t socket, int read, int write) {
    static_cast<AresChannel*>(self)->watch(socket, read != 0, write != 0);
  }

  void watch(ares_socket_t socket, bool read, bool write) {
    if (is_closing_) return;
    const auto found = watches_.find(socket);
    if (!read && !write) {  // c-ares closes it
      if (found == watches_.end()) return;
      found->second->descriptor.release();
      watches_.erase(found);
      return;
    }
    auto& entry = found != watches_.end() ? found->second : watches_[socket];
    if (entry == nullptr) entry = std::make_shared<Watch>(context_, socket);
    entry->wants_read = read;
    entry->wants_write = write;
    wait(socket, entry);
  }

  void wait(ares_socket_t socket, const std::shared_ptr<Watch>& entry) {
    using Descriptor = asio::posix::stream_descriptor;
    if (entry->wants_read && !entry->is_reading) {
      entry->is_reading = true;
      entry->descriptor.async_wait(Descriptor::wait_read, [this, socket, entry](error_code failure) {
        entry->is_reading = false;
        if (!failure) process(socket, ARES_SOCKET_BAD, entry);
      });
    }
    if (entry->wants_write && !entry->is_writing) {
      entry->is_writing = true;
      entry->descriptor.async_wait(Descriptor::wait_write, [this, socket, entry](error_code failure) {
        entry->is_writing = false;
        if (!failure) process(ARES_SOCKET_BAD, socket, entry);
      });
    }
  }

  void process(ares_socket_t readable, ares_socket_t writable, const std::shared_ptr<Watch>& entry) {
    const ares_socket_t socket = readable != ARES_SOCKET_BAD ? readable : writable;
    ares_process_fd(channel_, readable, writable);
    const auto found = watches_.find(socket);
    if (found != watches_.end() && found->second == entry) wait(socket, entry);
  }

  void tick() {
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    timeval left{};
    if (ares_timeout(channel_, nullptr, &left) == nullptr) {  // nothing is under way
      is_ticking_ = false;
      return;
    }
    timer_.expires_after(kTick);
    timer_.async_wait([this](error_code failure) {
      if (!failure) tick();
    });
  }

  asio::io_context& context_;
  ares_channel channel_ = nullptr;
  asio::steady_timer timer_;
  std::map<ares_socket_t, std::shared_ptr<Watch>> watches_;
  bool is_ticking_ = false;
  bool is_closing_ = false;
};

// Keeps what names led to, for as long as DNS lets it, and the searches that are under way, each once however
// many wait for it. It decides by RFC 3263 what to ask for next, and serves what it knew before when DNS
// itself is away. Which of the targets is tried, and whether anybody may be sent there, it need not know.
//
// Threads: the gateway's.
class AresResolver final : public Resolver {
 public:
  AresResolver(asio::io_context& context, std::optional<Endpoint> server) : channel_(context, server) {}

  void resolve(const ServerName& name, Done done) override {
    thread_check_.check();
    const auto known = cache_.find(name);
    if (known != cache_.end() && known->second.until > monotonic_now()) return done(known->second.targets);
    if (channel_.get() == nullptr || waiting_ >= kMaxWaiting)
      return done(known != cache_.end() ? known->second.targets : std::vector<Target>());
    ++waiting_;
    const auto asking = asking_.find(name);
    if (asking != asking_.end()) return asking->second->waiters.push_back(std::move(done));
    auto search = std::make_shared<Search>(Search{.name = name});
    search->waiters.push_back(std::move(done));
    asking_.emplace(name, search);
    begin(search);
    channel_.wake();
  }

 private:
  // One name on its way through NAPTR, SRV and addresses.
  struct Search {
    ServerName name;
    std::vector<Done> waiters;
    std::vector<std::pair<Transport, std::string>> services;  // SRV names still to be asked for, in order
    std::vector<std::pair<Transport, SrvRecord>> servers;     // whose addresses are still to be asked for
    std::vector<Target> targets;
    int ttl_s = kLongestSeconds;
    bool failed = false;  // DNS itself, not the name
  };
  using SearchPtr = std::shared_ptr<Search>;
  struct Known {
    std::vector<Target> targets;
    Time until{};
  };
  // What c-ares hands back to a callback.
  struct Question {
    AresResolver* self;
    SearchPtr search;
    Transport transport = Transport::kUdp;
    std::uint16_t port = 0;
  };

  // RFC 3263 §4.1: a port or a transport in the URI leaves less to ask.
  void begin(const SearchPtr& search) {
    const ServerName& name = search->name;
    const Transport asked = name.is_secure ? Transport::kTls : name.transport.value_or(Transport::kUdp);
    if (name.port != 0) {
      search->servers.push_back({asked, {name.host, name.port, 0, 0}});
      return next_server(search);
    }
    if (name.is_secure || name.transport) {
      search->services = {{asked, srv_name(name.host, asked)}};
      return next_service(search);
    }
    ares_query(channel_.get(), name.host.c_str(), ns_c_in, ns_t_naptr, on_naptr, new Question{this, search});
  }

  static void on_naptr(void* question, int status, int, unsigned char* answer, int bytes) {
    const std::unique_ptr<Question> asked(static_cast<Question*>(question));
    if (status == ARES_EDESTRUCTION) return;
    ares_naptr_reply* records = nullptr;
    if (status == ARES_SUCCESS && ares_parse_naptr_reply(answer, bytes, &records) == ARES_SUCCESS)
      asked->self->apply_naptr(*asked->search, records);
    if (records != nullptr) ares_free_data(records);
    auto& services = asked->search->services;
    if (services.empty()) {
      for (const Transport each : {Transport::kUdp, Transport::kTcp, Transport::kTls})
        services.emplace_back(each, srv_name(asked->search->name.host, each));
    }
    asked->self->next_service(asked->search);
  }

  // Its services, best first, and where the SRV records of each are: that may be another's name.
  static void apply_naptr(Search& search, const ares_naptr_reply* records) {
    std::vector<std::tuple<int, int, Transport, std::string>> found;
    for (const auto* each = records; each != nullptr && found.size() < kMaxTargets; each = each->next) {
      const std::string_view service = reinterpret_cast<const char*>(each->service);
      std::optional<Transport> transport;
      if (equals_ignoring_case(service, "SIP+D2U")) transport = Transport::kUdp;
      if (equals_ignoring_case(service, "SIP+D2T")) transport = Transport::kTcp;
      if (equals_ignoring_case(service, "SIPS+D2T")) transport = Transport::kTls;
      const bool is_srv = equals_ignoring_case(reinterpret_cast<const char*>(each->flags), "s");
      if (transport && is_srv)
        found.emplace_back(each->order, each->preference, *transport, each->replacement);
    }
    std::sort(found.begin(), found.end());
    for (auto& [order, preference, transport, name] : found)
      search.services.emplace_back(transport, std::move(name));
  }

  void next_service(const SearchPtr& search) {
    if (search->services.empty() || !search->servers.empty()) return begin_servers(search);
    const auto [transport, name] = search->services.front();
    search->services.erase(search->services.begin());
    ares_query(channel_.get(), name.c_str(), ns_c_in, ns_t_srv, on_srv,
               new Question{this, search, transport});
  }

  static void on_srv(void* question, int status, int, unsigned char* answer, int bytes) {
    const std::unique_ptr<Question> asked(static_cast<Question*>(question));
    if (status == ARES_EDESTRUCTION) return;
    ares_srv_reply* records = nullptr;
    std::vector<SrvRecord> found;
    if (status == ARES_SUCCESS && ares_parse_srv_reply(answer, bytes, &records) == ARES_SUCCESS) {
      for (const auto* each = records; each != nullptr && found.size() < kMaxTargets; each = each->next) {
        if (std::string_view(each->host) != ".")
          found.push_back({each->host, each->port, each->priority, each->weight});
      }
    }
    if (records != nullptr) ares_free_data(records);
    asked->search->failed = asked->search->failed || is_failure(status);
    put_in_order(found);
    for (SrvRecord& record : found) asked->search->servers.emplace_back(asked->transport, std::move(record));
    asked->self->next_service(asked->search);
  }

  // No SRV records: the name itself is the server (RFC 3263 §4.2).
  void begin_servers(const SearchPtr& search) {
    if (search->servers.empty()) {
      const ServerName& name = search->name;
      const Transport transport = name.is_secure ? Transport::kTls : name.transport.value_or(Transport::kUdp);
      search->servers.push_back({transport, {name.host, default_port(transport), 0, 0}});
    }
    next_server(search);
  }

  void next_server(const SearchPtr& search) {
    if (search->servers.empty() || search->targets.size() >= kMaxTargets) return finish(search);
    const auto [transport, record] = search->servers.front();
    search->servers.erase(search->servers.begin());
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    ares_getaddrinfo(channel_.get(), record.host.c_str(), nullptr, &hints, on_addresses,
                     new Question{this, search, transport, record.port});
  }

  static void on_addresses(void* question, int status, int, ares_addrinfo* found) {
    const std::unique_ptr<Question> asked(static_cast<Question*>(question));
    if (status == ARES_EDESTRUCTION) return;
    Search& search = *asked->search;
    for (const auto* node = found != nullptr ? found->nodes : nullptr; node != nullptr;
         node = node->ai_next) {
      sockaddr_storage storage{};
      std::memcpy(&storage, node->ai_addr, std::min<std::size_t>(node->ai_addrlen, sizeof storage));
      const auto address = Endpoint::from_sockaddr(storage);
      if (!address || search.targets.size() >= kMaxTargets) continue;
      search.targets.push_back({asked->transport, {address->address, asked->port}});
      search.ttl_s = std::min(search.ttl_s, node->ai_ttl);
    }
    if (found != nullptr) ares_freeaddrinfo(found);
    search.failed = search.failed || is_failure(status);
    asked->self->next_server(asked->search);
  }

  static bool is_failure(int status) {
    return status != ARES_SUCCESS && status != ARES_ENOTFOUND && status != ARES_ENODATA;
  }

  void finish(const SearchPtr& search) {
    asking_.erase(search->name);
    waiting_ -= search->waiters.size();
    if (cache_.size() >= kMaxNames) cache_.clear();
    Known& known = cache_[search->name];
    const bool serves_on = search->targets.empty() && search->failed && !known.targets.empty();
    if (!serves_on) known.targets = search->targets;
    known.until = monotonic_now() +
                  (search->targets.empty()
                       ? kNoSuchName
                       : std::chrono::seconds(std::clamp(search->ttl_s, kShortestSeconds, kLongestSeconds)));
    const std::vector<Target> targets = known.targets;
    for (const Done& done : search->waiters) done(targets);
  }

  std::map<ServerName, Known> cache_;
  std::map<ServerName, SearchPtr> asking_;
  std::size_t waiting_ = 0;
  ThreadCheck thread_check_{"Resolver"};
  AresChannel channel_;  // last: its end calls back
};

}  // namespace

std::unique_ptr<Resolver> Resolver::make(asio::io_context& context, std::optional<Endpoint> server) {
  return std::make_unique<AresResolver>(context, server);
}

}  // namespace vas::signaling
