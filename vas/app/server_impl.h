// The server behind run_server(): server.cc opens its parts, server_run.cc watches them and ends them.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/watchdog.h"
#include "vas/app/host_addresses.h"
#include "vas/app/server.h"
#include "vas/control/callback_desk.h"
#include "vas/control/cluster_desk.h"
#include "vas/control/directory_desk.h"
#include "vas/control/front_door.h"
#include "vas/control/gateway_desk.h"
#include "vas/control/platform_desk.h"
#include "vas/control/session_desk.h"
#include "vas/control/switchboard.h"

namespace vas::app {

// Calls `drain` on control's thread whenever an inbox has something.
class InboxReader {
 public:
  InboxReader(boost::asio::io_context& context, int descriptor, std::function<void()> drain)
      : descriptor_(context, descriptor), drain_(std::move(drain)) {
    wait();
  }
  ~InboxReader() { descriptor_.release(); }  // the inbox owns it

 private:
  void wait() {
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [this](boost::system::error_code failure) {
                             if (failure) return;
                             drain_();
                             wait();
                           });
  }
  boost::asio::posix::stream_descriptor descriptor_;
  std::function<void()> drain_;
};

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
  Result<bool> open_desks();
  void open_switchboard();
  Result<bool> open_api();
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
  boost::asio::io_context context_{1};
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
  boost::asio::signal_set signals_;
  boost::asio::steady_timer shutdown_timer_;
  Pulse pulse_;
  std::unique_ptr<Watchdog> watchdog_;  // last: it asks the others
};

}  // namespace vas::app
