#include "vas/app/server.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "media/libssl_version.h"
#include "vas/api/api.h"
#include "vas/app/callback_desk.h"
#include "vas/app/cluster_desk.h"
#include "vas/app/descriptor_budget.h"
#include "vas/app/directory_desk.h"
#include "vas/app/front_door.h"
#include "vas/app/gateway_desk.h"
#include "vas/app/host_addresses.h"
#include "vas/app/platform_desk.h"
#include "vas/app/privileges.h"
#include "vas/app/session_desk.h"
#include "vas/app/switchboard.h"
#include "vas/base/clock.h"
#include "vas/base/log.h"
#include "vas/base/random.h"
#include "vas/base/watchdog.h"
#include "vas/store/database.h"

namespace vas::app {
namespace {

namespace asio = boost::asio;

// Then timers and the API have their turn.
constexpr std::size_t kEventsAtOnce = 256;
constexpr std::int64_t kMaxNodes = 16;  // on one database (change_feed.h)
// How often it is looked whether all calls are gone.
constexpr auto kShutdownPoll = std::chrono::milliseconds(50);
// Within what service managers wait before they kill.
constexpr auto kLongestShutdown = std::chrono::seconds(8);
constexpr auto kFarewell = std::chrono::milliseconds(700);  // for the last BYE's answer

// Calls `drain` on control's thread whenever an inbox has something.
class InboxReader {
 public:
  InboxReader(asio::io_context& context, int descriptor, std::function<void()> drain)
      : descriptor_(context, descriptor), drain_(std::move(drain)) {
    wait();
  }
  ~InboxReader() { descriptor_.release(); }  // the inbox owns it

 private:
  void wait() {
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                           [this](boost::system::error_code failure) {
                             if (failure) return;
                             drain_();
                             wait();
                           });
  }
  asio::posix::stream_descriptor descriptor_;
  std::function<void()> drain_;
};

// While we are still root, if we are: it holds passwords, and may be root's alone.
Result<std::string> read_directory_file(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream in(path);
  if (!in) return Error{"cannot read the directory file " + path};
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

Result<directory::Change> parse_directory_file(const std::string& path, const Result<std::string>& text) {
  if (!text) return Error{text.error()};
  auto entries = directory::parse_directory(*text);
  if (!entries) return Error{path + ": " + entries.error()};
  return entries;
}

std::string key_file_of(const Config& config) {
  return config.key_file.empty() ? config.data_dir + "/store.key" : config.key_file;
}

// Makes the first key of a node that has none, and leaves it where only its operator reads it.
Result<directory::Change> first_key(const std::string& data_dir) {
  const std::string path = data_dir + "/system.key";
  const std::string key = "XI" + random_hex(16);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::string line = key + "\n";
  const bool is_written =
      file >= 0 && ::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  if (file >= 0) ::close(file);
  if (!is_written) return Error{"cannot write " + path + ": " + std::strerror(errno)};
  log::info("", "the store is empty: the first system key is in {}", path);
  directory::ApiKey entry{.id = 1, .name = "first key", .sha256 = directory::hash_of_key(key)};
  entry.scope = directory::KeyScope::kSystem;
  return directory::Change{directory::Entry(entry)};
}

// The one place that makes all parts and ties them together: it keeps them, and decides nothing but the order
// in which they begin and end. What they do it need not know.
//
// Parts in the order in which they are made; destroyed the other way round.
class Server {
 public:
  Server(const Config& config, Result<std::string> directory_text)
      : config_(config),
        directory_text_(std::move(directory_text)),
        front_door_(config.node),
        signals_(context_),
        shutdown_timer_(context_) {}
  Result<bool> start();
  void run() {
    context_.restart();  // start() may have run it until nothing was left to do
    context_.run();
  }

 private:
  void begin_shutdown();
  void wait_for_calls(Time give_up_at);
  Result<bool> open_policy();
  Result<bool> open_storage();
  Result<bool> open_directory(store::Store::Contents& contents);
  Result<bool> join_cluster();
  Result<bool> open_edges();
  Result<bool> open_media();
  IdSpace ids() const;
  std::int64_t capacity() const;
  void take(signaling::SipEvent event);
  void tell_of_api() const;
  PlatformDesk::Addresses addresses() const;
  Snapshot snapshot() const;
  std::vector<Watchdog::Part> parts();
  void ask_control(Time now);

  const Config& config_;
  const Result<std::string>
      directory_text_;  // of the directory file; it is looked at where the store is empty
  asio::io_context context_{1};
  const std::shared_ptr<OwnAddresses> own_addresses_ = std::make_shared<OwnAddresses>();
  std::shared_ptr<const AddressPolicy> peers_;  // where SIP and media may go
  std::unique_ptr<HostAddresses> host_addresses_;
  Inbox<signaling::SipEvent> sip_events_{65536};
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<records::CdrJournal> journal_;
  std::set<std::string> tokens_of_calls_;  // of the process before, until the store knows that they are used
  std::unique_ptr<webhooks::WebhookClient> webhooks_;
  std::unique_ptr<DirectoryDesk> directory_;
  std::unique_ptr<CallbackDesk> callbacks_;
  store::ChangeFeed::Membership membership_;
  FrontDoor front_door_;
  std::unique_ptr<signaling::Gateway> gateway_;
  std::unique_ptr<signaling::SipStack> sip_;
  std::unique_ptr<bridge::MediaPlane> media_;
  std::unique_ptr<SessionDesk> sessions_;
  std::unique_ptr<ClusterDesk> cluster_;
  std::unique_ptr<Switchboard> switchboard_;
  std::unique_ptr<PlatformDesk> platform_;
  std::unique_ptr<GatewayDesk> gateway_desk_;
  std::unique_ptr<InboxReader> sip_reader_;
  std::unique_ptr<InboxReader> media_reader_;
  api::ApiCounters api_counters_;
  std::unique_ptr<api::HttpServer> http_;
  asio::signal_set signals_;
  asio::steady_timer shutdown_timer_;
  Pulse pulse_;
  std::unique_ptr<Watchdog> watchdog_;  // last: it asks the others
};

Result<bool> Server::open_storage() {
  std::error_code failure;
  std::filesystem::create_directories(config_.data_dir, failure);
  if (failure) return Error{"cannot make the folder " + config_.data_dir + ": " + failure.message()};
  ::chmod(config_.data_dir.c_str(), 0700);

  const auto post = [this](std::function<void()> work) { asio::post(context_, std::move(work)); };
  const std::string location = config_.store.empty() ? config_.data_dir + "/vas.sqlite" : config_.store;
  auto store = store::Store::open(location, config_.node, post, key_file_of(config_),
                                  config_.data_dir + "/rejected-rows.jsonl");
  if (!store) return Error{store.error()};
  store_ = std::move(*store);
  auto journal = records::CdrJournal::open(config_.data_dir, records::CdrJournal::kRenewAt,
                                           records::RecordFiles::kRotateAt, &store_->sealer());
  if (!journal) return Error{journal.error()};
  journal_ = std::move(journal->journal);
  tokens_of_calls_ = std::move(journal->sessions);
  for (const records::CallRecord& record : journal->closed) {
    log::warn(record.session, "call {} was not closed by the process before; its record is written now",
              record.id);
  }
  webhooks::Authorities authorities;
  if (!config_.webhook_ca.empty()) {
    auto read = webhooks::Authorities::read(config_.webhook_ca);
    if (!read) return Error{"`webhook-ca`: " + read.error()};
    authorities = std::move(*read);
  }
  webhooks_ = std::make_unique<webhooks::WebhookClient>(
      webhooks::AddressGuard(config_.webhook_allow, own_addresses_), post,
      webhooks::WebhookClient::Limits{.under_way = config_.webhook_connections,
                                      .dns_server = config_.sip.dns_server,
                                      .authorities = std::move(authorities)});
  return true;
}

// The directory of the store; an empty store takes the file's, or a first key.
Result<bool> Server::open_directory(store::Store::Contents& contents) {
  directory_ = std::make_unique<DirectoryDesk>(
      *store_, webhooks::AddressGuard(config_.webhook_allow, own_addresses_), peers_);
  if (contents.directory.empty()) {
    auto first = config_.directory_file.empty()
                     ? first_key(config_.data_dir)
                     : parse_directory_file(config_.directory_file, directory_text_);
    if (!first) return Error{first.error()};
    std::optional<bool> stored;
    const auto stays = asio::make_work_guard(context_);  // the loop has nothing else to wait for yet
    store_->commit(store::Transaction().apply(*first), store::Urgency::kMayFail,
                   [&stored](bool committed) { stored = committed; });
    while (!stored) context_.run_one();
    if (!*stored) return Error{"the directory could not be stored in " + config_.data_dir};
    contents.directory = std::move(*first);
  } else if (!config_.directory_file.empty()) {
    log::info("", "the store has a directory: {} is not read again (docs/directory.md)",
              config_.directory_file);
  }
  directory_->set_ids(ids());
  directory_->restore(contents.directory, contents.counters);
  return true;
}

// Before anything draws an id.
Result<bool> Server::join_cluster() {
  if (config_.store.empty()) return true;
  auto membership = store::ChangeFeed::join(config_.store, config_.node,
                                            to_string(config_.sip.transports.sip.front()), store_->sealer());
  if (!membership) return Error{membership.error()};
  membership_ = std::move(*membership);
  log::info("", "node {} of {}, number {}", config_.node, store::shown(config_.store), membership_.number);
  return true;
}

IdSpace Server::ids() const {
  return config_.store.empty() ? IdSpace{} : IdSpace{kMaxNodes, membership_.number};
}

// Calls of two plain legs that the media ports carry.
std::int64_t Server::capacity() const {
  // Two legs, each with RTP and RTCP.
  constexpr std::int64_t kPortsEach = 4;
  return (config_.media.last_port - config_.media.first_port + 1) / kPortsEach;
}

Result<bool> Server::open_edges() {
  signaling::GatewayConfig gateway_config = config_.sip;
  gateway_config.admission = &front_door_;
  gateway_config.peers = peers_;
  gateway_config.cluster_secret = membership_.secret;
  auto gateway = signaling::Gateway::open(gateway_config);
  if (!gateway) return Error{gateway.error()};
  gateway_ = std::move(*gateway);
  auto sip = signaling::SipStack::open({.user_agent = std::string("VAS/") + VAS_VERSION,
                                        .session_expires_s = config_.session_expires_s,
                                        .threads = config_.sip_threads},
                                       *gateway_, sip_events_);
  if (!sip) return Error{sip.error()};
  sip_ = std::move(*sip);
  return true;
}

// Before all others: it loads programs into the kernel, and may start a process of its own. Threads made
// later have no capability for that any more.
Result<bool> Server::open_media() {
  bridge::MediaPlaneConfig media_config = config_.media;
  media_config.peers = peers_;
  for (const auto& each : config_.sip.transports.advertised) media_config.also_ours.push_back(each.address);
  auto media = bridge::MediaPlane::open(media_config);
  if (!media) return Error{media.error()};
  media_ = std::move(*media);
  log::info("", "media: {}", media_->description());
  finish_start_privileges(config_);
  return true;
}

// Before anything may be sent anywhere.
Result<bool> Server::open_policy() {
  auto addresses = HostAddresses::open(context_, own_addresses_);
  if (!addresses) return Error{addresses.error()};
  host_addresses_ = std::move(*addresses);
  peers_ = std::make_shared<AddressPolicy>(AddressPolicy::Door::kPeer, config_.peer_allow, own_addresses_);
  return true;
}

Result<bool> Server::start() {
  if (auto opened = open_policy(); !opened) return opened;
  if (auto opened = open_media(); !opened) return opened;
  if (auto opened = open_storage(); !opened) return opened;
  if (auto joined = join_cluster(); !joined) return joined;
  if (auto opened = open_edges(); !opened) return opened;

  auto contents = store_->load();
  if (!contents) return Error{contents.error()};
  if (auto opened = open_directory(*contents); !opened) return opened;
  const directory::Directory& directory = directory_->directory();
  callbacks_ = std::make_unique<CallbackDesk>(context_, directory, *store_, *webhooks_);
  callbacks_->restore(std::move(contents->events));
  sessions_ = std::make_unique<SessionDesk>(context_, *directory_, *store_, *callbacks_, config_.node,
                                            front_door_.tokens());
  sessions_->registry().set_ids(ids());
  sessions_->restore(std::move(contents->sessions), tokens_of_calls_);
  // Committed behind the ends of those sessions: only then may the journal forget their calls.
  store_->commit(store::Transaction(), store::Urgency::kMustLast, [this](bool) { journal_->forget_past(); });
  tokens_of_calls_.clear();
  directory_->set_sessions(sessions_->registry());
  directory_->set_observer([this](const directory::Directory& changed) { front_door_.set_trunks(changed); });
  switchboard_ = std::make_unique<Switchboard>(
      Switchboard::Parts{context_, directory, *sessions_, *sip_, *media_, *journal_, *webhooks_},
      SwitchboardConfig{config_.node,
                        config_.public_url,
                        config_.trusts_plain_signaling,
                        config_.ice,
                        {peers_, config_.media.first_port, config_.media.last_port},
                        config_.hold_timeout,
                        capacity(),
                        std::chrono::seconds(config_.control_endpoint_timeout_s)});
  sessions_->set_call_control(*switchboard_);
  gateway_desk_ = std::make_unique<GatewayDesk>(context_, *gateway_);
  platform_ = std::make_unique<PlatformDesk>(*callbacks_, addresses(), [this] { return snapshot(); });

  sip_reader_ = std::make_unique<InboxReader>(context_, sip_events_.descriptor(), [this] {
    sip_events_.drain([this](signaling::SipEvent&& event) { take(std::move(event)); }, kEventsAtOnce);
  });
  media_reader_ = std::make_unique<InboxReader>(context_, media_->descriptor(), [this] {
    media_->drain([this](const bridge::MediaEvent& event) { switchboard_->on_media(event); });
  });
  auto entry =
      api::make_api({*sessions_, *directory_, *platform_, *gateway_desk_}, config_.api, api_counters_);
  auto http =
      api::HttpServer::open(context_, config_.http, std::move(entry.handle), std::move(entry.shows_key));
  if (!http) return Error{http.error()};
  http_ = std::move(*http);

  signals_.add(SIGTERM);
  signals_.add(SIGINT);
  signals_.async_wait([this](boost::system::error_code failure, int) {
    if (!failure) begin_shutdown();
  });
  if (!config_.store.empty()) {
    cluster_ = std::make_unique<ClusterDesk>(
        ClusterDesk::Parts{context_, *sessions_, *directory_, front_door_, *store_}, config_.store,
        to_string(gateway_->listeners().all().front().advertised));
    sessions_->set_peers(*cluster_);
  }
  if (auto filtered = install_system_call_filter(config_.system_calls); !filtered) return filtered;
  watchdog_ = std::make_unique<Watchdog>(parts());
  platform_->set_watchdog(*watchdog_);
  gateway_->start(sip_->loopbacks());
  for (const signaling::Listener& listener : gateway_->listeners().all())
    log::info("", "SIP over {} at {}", signaling::via_name(listener.transport), to_string(listener.local));
  tell_of_api();
  watchdog_->start();
  log::info("", "ready");
  return true;
}

void Server::tell_of_api() const {
  const Endpoint plain = http_->listening();
  log::info("", "API at http://{}", to_string(plain));
  if (http_->door() != nullptr) {
    for (const Endpoint& each : http_->door()->listening())
      log::info("", "API at https://{}", to_string(each));
  }
  if (ranges_near(plain.address) == AddressPolicy::PrivateRanges::kOpen) return;
  log::warn("",
            "API keys and tokens cross the network in the clear at http://{}: let `http-listen` be a private "
            "address for a proxy, or loopback, and use `https-listen`",
            to_string(plain));
}

void Server::take(signaling::SipEvent event) {
  if (const auto* probe = std::get_if<signaling::ProbeReceived>(&event))
    return gateway_->answer_probe(probe->number);
  switchboard_->on_sip(std::move(event));
}

// From the watchdog's thread: the question goes the way that every piece of work comes.
void Server::ask_control(Time now) {
  pulse_.ask(now);
  asio::post(context_, [this, now] {
    pulse_.answer();
    media_->ask_agents(now);
  });
}

std::vector<Watchdog::Part> Server::parts() {
  std::vector<Watchdog::Part> all{
      {"control", &pulse_, [this](Time now) { ask_control(now); }, true},
      {"gateway", &gateway_->pulse(), [this](Time now) { gateway_->ask(now); }, true},
      {"store", &store_->pulse(), [this](Time now) { store_->ask(now); }},
      {"journal", &journal_->pulse(), [this](Time now) { journal_->ask(now); }},
      {"webhooks", &webhooks_->pulse(), [this](Time now) { webhooks_->ask(now); }}};
  // Those of one room are asked together, with its first.
  std::function<void(Time)> ask = [this](Time now) { sip_->ask(now); };
  for (std::size_t i = 0; const Pulse* pulse : sip_->pulses())
    all.push_back({"sip-" + std::to_string(i++), pulse, std::exchange(ask, nullptr), true});
  for (auto& each : media_->pulses())
    all.push_back({each.name, each.pulse, std::move(each.ask), each.name.starts_with("media-")});
  ask = [this](Time now) { store_->queries().ask(now); };
  for (std::size_t i = 0; const Pulse& pulse : store_->queries().pulses())
    all.push_back({"query-" + std::to_string(i++), &pulse, std::exchange(ask, nullptr)});
  if (api::TlsDoor* door = http_->door(); door != nullptr)
    all.push_back({"https", &door->pulse(), [door](Time now) { door->ask(now); }});
  if (cluster_)
    all.push_back({"cluster", &cluster_->feed().pulse(), [this](Time now) { cluster_->ask_feed(now); }});
  return all;
}

PlatformDesk::Addresses Server::addresses() const {
  PlatformDesk::Addresses all{.node = config_.node};
  all.phone_server = config_.phone_server;
  all.media.push_back(to_string(config_.media.advertised_ipv4.value_or(config_.media.bind_ipv4)));
  if (config_.media.bind_ipv6) all.media.push_back(to_string(*config_.media.bind_ipv6));
  std::set<std::string> told;
  for (const signaling::Listener& listener : gateway_->listeners().all())
    told.insert(to_string(listener.advertised));
  all.signaling.assign(told.begin(), told.end());
  return all;
}

Snapshot Server::snapshot() const {
  return {.calls = switchboard_->open_calls(),
          .sessions = sessions_->registry().size(),
          .polls_waiting = sessions_->registry().waiting(),
          .callbacks_waiting = callbacks_->waiting(),
          .broken_endpoints = callbacks_->broken_endpoints(),
          .sessions_created = sessions_->created(),
          .callbacks_delivered = callbacks_->counters().delivered,
          .callback_tries_failed = callbacks_->counters().failed_tries,
          .callbacks_buried = callbacks_->counters().buried,
          .rows_refused = store_->rows_refused(),
          .sessions_refused = sessions_->refused(),
          .calls_refused = switchboard_->refused(),
          .quota = &switchboard_->quota(),
          .session_uses = &sessions_->registry().uses(),
          .directory = &directory_->directory(),
          .api = api_counters_,
          .http = http_->counters(),
          .webhooks_under_way = webhooks_->under_way(),
          .media = media_->figures(),
          .parts = watchdog_->seen(monotonic_now()),
          .gateway = &gateway_->counters()};
}

void Server::begin_shutdown() {
  log::info("", "shutting down: {} calls to end", switchboard_->open_calls());
  platform_->drain();
  switchboard_->shut_down();
  wait_for_calls(monotonic_now() + kLongestShutdown);
}

void Server::wait_for_calls(Time give_up_at) {
  const bool is_done = switchboard_->open_calls() == 0 || monotonic_now() >= give_up_at;
  shutdown_timer_.expires_after(is_done ? kFarewell : kShutdownPoll);
  shutdown_timer_.async_wait([this, is_done, give_up_at](boost::system::error_code) {
    if (!is_done) return wait_for_calls(give_up_at);
    gateway_->stop();
    context_.stop();
  });
}

}  // namespace

int run_server(const Config& config) {
  if (const auto fault = media::fault_of_libssl()) log::error("", "{}", *fault);
  const auto fail = [](const std::string& why) {
    log::error("", "{}", why);
    return 1;
  };
  auto directory_text = read_directory_file(config.directory_file);
  const Config fitted = within_descriptors(config);
  if (auto dropped = drop_privileges(fitted); !dropped) return fail(dropped.error());
  Server server(fitted, std::move(directory_text));
  const auto started = server.start();
  if (!started) return fail(started.error());
  server.run();
  log::info("", "stopped");
  return 0;
}

}  // namespace vas::app
