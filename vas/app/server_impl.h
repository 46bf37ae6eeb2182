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
#include "vas/control/admission_index.h"
#include "vas/control/call_controller.h"
#include "vas/control/callback_dispatcher.h"
#include "vas/control/cluster_link.h"
#include "vas/control/directory_controller.h"
#include "vas/control/gateway_controller.h"
#include "vas/control/platform_controller.h"
#include "vas/control/session_controller.h"

namespace vas::app {

// Calls `drain` on control's thread whenever an inbox has something.
class InboxWatch {
 public:
  InboxWatch(boost::asio::io_context& context, int descriptor, std::function<void()> drain)
      : descriptor_(context, descriptor), drain_(std::move(drain)) {
    wait();
  }
  ~InboxWatch() { descriptor_.release(); }  // the inbox owns it

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
        admission_index_(config.node),
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
  Result<bool> open_controllers();
  void open_call_controller();
  Result<bool> open_api();
  IdSpace ids() const;
  std::int64_t capacity() const;
  void dispatch(signaling::SipEvent event);
  void tell_of_api() const;
  control::PlatformController::Addresses addresses() const;
  control::Snapshot snapshot() const;
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
  std::unique_ptr<control::DirectoryController> directory_;
  std::unique_ptr<control::CallbackDispatcher> callbacks_;
  store::ChangeFeed::Membership membership_;
  control::AdmissionIndex admission_index_;
  std::unique_ptr<signaling::Gateway> gateway_;
  std::unique_ptr<signaling::SipStack> sip_;
  std::unique_ptr<bridge::MediaPlane> media_;
  std::unique_ptr<control::SessionController> sessions_;
  std::unique_ptr<control::ClusterLink> cluster_;
  std::unique_ptr<control::CallController> call_controller_;
  std::unique_ptr<control::PlatformController> platform_;
  std::unique_ptr<control::GatewayController> gateway_controller_;
  std::unique_ptr<InboxWatch> sip_watch_;
  std::unique_ptr<InboxWatch> media_watch_;
  api::ApiCounters api_counters_;
  std::unique_ptr<api::HttpServer> http_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer shutdown_timer_;
  Pulse pulse_;
  std::unique_ptr<Watchdog> watchdog_;  // last: it asks the others
};

}  // namespace vas::app
