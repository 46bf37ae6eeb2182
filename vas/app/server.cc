#include "vas/app/server.h"

#include <sys/stat.h>

#include <boost/asio/post.hpp>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "media/srtp/libssl_version.h"
#include "vas/api/api.h"
#include "vas/app/descriptor_budget.h"
#include "vas/app/first_directory.h"
#include "vas/app/privileges.h"
#include "vas/app/server_impl.h"
#include "vas/store/database.h"

namespace vas::app {

namespace asio = boost::asio;

namespace {

// Then timers and the API have their turn.
constexpr std::size_t kEventsAtOnce = 256;
constexpr std::int64_t kMaxNodes = 16;  // on one database (change_feed.h)

std::string key_file_of(const Config& config) {
  return config.key_file.empty() ? config.data_dir + "/store.key" : config.key_file;
}

}  // namespace

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
  directory_ = std::make_unique<control::DirectoryController>(
      *store_, webhooks::AddressGuard(config_.webhook_allow, own_addresses_), peers_);
  if (contents.directory.empty()) {
    auto first = first_directory(config_, directory_text_);
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
  gateway_config.admission = &admission_index_;
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

// What the store holds, and who works on it.
Result<bool> Server::open_controllers() {
  auto contents = store_->load();
  if (!contents) return Error{contents.error()};
  if (auto opened = open_directory(*contents); !opened) return opened;
  const directory::Directory& directory = directory_->directory();
  callbacks_ = std::make_unique<control::CallbackDispatcher>(context_, directory, *store_, *webhooks_);
  callbacks_->restore(std::move(contents->events));
  sessions_ = std::make_unique<control::SessionController>(context_, *directory_, *store_, *callbacks_,
                                                           config_.node, admission_index_.tokens());
  sessions_->registry().set_ids(ids());
  sessions_->restore(std::move(contents->sessions), tokens_of_calls_);
  // Committed behind the ends of those sessions: only then may the journal forget their calls.
  store_->commit(store::Transaction(), store::Urgency::kMustLast, [this](bool) { journal_->forget_past(); });
  tokens_of_calls_.clear();
  directory_->set_sessions(sessions_->registry());
  directory_->set_observer(
      [this](const directory::Directory& changed) { admission_index_.set_trunks(changed); });
  open_call_controller();
  gateway_controller_ = std::make_unique<control::GatewayController>(context_, *gateway_);
  platform_ =
      std::make_unique<control::PlatformController>(*callbacks_, addresses(), [this] { return snapshot(); });
  return true;
}

void Server::open_call_controller() {
  call_controller_ = std::make_unique<control::CallController>(
      control::CallController::Parts{context_, directory_->directory(), *sessions_, *sip_, *media_, *journal_,
                                     *webhooks_},
      control::CallControllerConfig{config_.node,
                                    config_.public_url,
                                    config_.trusts_plain_signaling,
                                    config_.ice,
                                    {peers_, config_.media.first_port, config_.media.last_port},
                                    config_.hold_timeout,
                                    capacity(),
                                    std::chrono::seconds(config_.control_endpoint_timeout_s)});
  sessions_->set_call_control(*call_controller_);
  sip_watch_ = std::make_unique<InboxWatch>(context_, sip_events_.descriptor(), [this] {
    sip_events_.drain([this](signaling::SipEvent&& event) { dispatch(std::move(event)); }, kEventsAtOnce);
  });
  media_watch_ = std::make_unique<InboxWatch>(context_, media_->descriptor(), [this] {
    media_->drain([this](const bridge::MediaEvent& event) { call_controller_->on_media(event); });
  });
}

Result<bool> Server::open_api() {
  auto entry =
      api::make_api({*sessions_, *directory_, *platform_, *gateway_controller_}, config_.api, api_counters_);
  auto http =
      api::HttpServer::open(context_, config_.http, std::move(entry.handle), std::move(entry.shows_key));
  if (!http) return Error{http.error()};
  http_ = std::move(*http);
  return true;
}

Result<bool> Server::start() {
  for (const auto step :
       {&Server::open_policy, &Server::open_media, &Server::open_storage, &Server::join_cluster,
        &Server::open_edges, &Server::open_controllers, &Server::open_api}) {
    if (auto opened = (this->*step)(); !opened) return opened;
  }
  signals_.add(SIGTERM);
  signals_.add(SIGINT);
  signals_.async_wait([this](boost::system::error_code failure, int) {
    if (!failure) begin_shutdown();
  });
  if (!config_.store.empty()) {
    cluster_ = std::make_unique<control::ClusterLink>(
        control::ClusterLink::Parts{context_, *sessions_, *directory_, admission_index_, *store_},
        config_.store, to_string(gateway_->listeners().all().front().advertised));
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

void Server::dispatch(signaling::SipEvent event) {
  if (const auto* probe = std::get_if<signaling::ProbeReceived>(&event))
    return gateway_->confirm_probe(probe->number);
  call_controller_->on_sip(std::move(event));
}

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
