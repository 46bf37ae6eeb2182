#include "vas/app/server.h"

#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "vas/api/api.h"
#include "vas/app/session_desk.h"
#include "vas/app/switchboard.h"
#include "vas/base/clock.h"
#include "vas/base/log.h"

namespace vas::app {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kEventsAtOnce = 256;
constexpr auto kShutdownPoll = std::chrono::milliseconds(50);
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

Result<directory::Directory> load_directory(const std::string& path) {
  if (path.empty()) return directory::Directory();
  std::ifstream in(path);
  if (!in) return Error{"cannot read the directory file " + path};
  std::stringstream text;
  text << in.rdbuf();
  auto directory = directory::parse_directory(text.str());
  if (!directory) return Error{path + ": " + directory.error()};
  return directory;
}

// Parts in the order in which they are made; destroyed the other way round.
class Server {
 public:
  explicit Server(const Config& config) : config_(config), signals_(context_), shutdown_timer_(context_) {}
  Result<bool> start();
  void run() { context_.run(); }

 private:
  void begin_shutdown();
  void wait_for_calls(Time give_up_at);
  Result<bool> open_storage();
  Result<bool> open_edges();

  const Config& config_;
  asio::io_context context_{1};
  directory::Directory directory_;
  Inbox<signaling::SipEvent> sip_events_{65536};
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<records::CdrJournal> journal_;
  std::unique_ptr<webhooks::WebhookClient> webhooks_;
  std::unique_ptr<signaling::Gateway> gateway_;
  std::unique_ptr<signaling::SipStack> sip_;
  std::unique_ptr<bridge::MediaPlane> media_;
  std::unique_ptr<SessionDesk> sessions_;
  std::unique_ptr<Switchboard> switchboard_;
  std::unique_ptr<InboxReader> sip_reader_;
  std::unique_ptr<InboxReader> media_reader_;
  std::unique_ptr<api::HttpServer> http_;
  asio::signal_set signals_;
  asio::steady_timer shutdown_timer_;
};

Result<bool> Server::open_storage() {
  std::error_code failure;
  std::filesystem::create_directories(config_.data_dir, failure);
  if (failure) return Error{"cannot make the folder " + config_.data_dir + ": " + failure.message()};
  ::chmod(config_.data_dir.c_str(), 0750);

  auto directory = load_directory(config_.directory_file);
  if (!directory) return Error{directory.error()};
  directory_ = std::move(*directory);

  const auto post = [this](std::function<void()> work) { asio::post(context_, std::move(work)); };
  auto store = store::Store::open(config_.data_dir + "/vas.sqlite", post);
  if (!store) return Error{store.error()};
  store_ = std::move(*store);
  auto journal =
      records::CdrJournal::open(config_.data_dir, [](const records::CallRecord& record, const std::string&) {
        log::warn(record.session, "call {} was not closed by the process before; its record is written now",
                  record.id);
      });
  if (!journal) return Error{journal.error()};
  journal_ = std::move(*journal);
  webhooks_ = std::make_unique<webhooks::WebhookClient>(post);
  return true;
}

Result<bool> Server::open_edges() {
  auto gateway = signaling::Gateway::open(config_.sip);
  if (!gateway) return Error{gateway.error()};
  gateway_ = std::move(*gateway);
  auto sip = signaling::SipStack::open(
      {.user_agent = std::string("VAS/") + VAS_VERSION, .session_expires_s = config_.session_expires_s},
      *gateway_, sip_events_);
  if (!sip) return Error{sip.error()};
  sip_ = std::move(*sip);
  media_ = std::make_unique<bridge::MediaPlane>(config_.media);
  return true;
}

Result<bool> Server::start() {
  if (auto opened = open_storage(); !opened) return opened;
  if (auto opened = open_edges(); !opened) return opened;

  sessions_ = std::make_unique<SessionDesk>(context_, directory_, *store_, *webhooks_, config_.node);
  auto stored = store_->load_sessions();
  if (!stored) return Error{stored.error()};
  sessions_->restore(std::move(*stored));
  switchboard_ = std::make_unique<Switchboard>(
      Switchboard::Parts{context_, directory_, *sessions_, *sip_, *media_, *journal_, *webhooks_},
      SwitchboardConfig{config_.node, config_.public_url});
  sessions_->set_call_control(*switchboard_);

  sip_reader_ = std::make_unique<InboxReader>(context_, sip_events_.descriptor(), [this] {
    sip_events_.drain([this](signaling::SipEvent&& event) { switchboard_->on_sip(std::move(event)); },
                      kEventsAtOnce);
  });
  media_reader_ = std::make_unique<InboxReader>(context_, media_->descriptor(), [this] {
    media_->drain([this](const bridge::MediaEvent& event) { switchboard_->on_media(event); });
  });
  auto http = api::HttpServer::open(context_, config_.http_listen, api::make_api(*sessions_));
  if (!http) return Error{http.error()};
  http_ = std::move(*http);

  signals_.add(SIGTERM);
  signals_.add(SIGINT);
  signals_.async_wait([this](boost::system::error_code failure, int) {
    if (!failure) begin_shutdown();
  });
  gateway_->start(sip_->loopback());
  for (const Endpoint& local : gateway_->listening())
    log::info("", "SIP over UDP and TCP at {}", to_string(local));
  log::info("", "API at http://{}", to_string(http_->listening()));
  log::info("", "ready");
  return true;
}

void Server::begin_shutdown() {
  log::info("", "shutting down: {} calls to end", switchboard_->open_calls());
  sessions_->drain();
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
  Server server(config);
  const auto started = server.start();
  if (!started) {
    log::error("", "{}", started.error());
    return 1;
  }
  server.run();
  log::info("", "stopped");
  return 0;
}

}  // namespace vas::app
