// The server once it is up: what it tells of itself, whom it watches, and how it stops.
#include <boost/asio/post.hpp>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "vas/app/server_impl.h"

namespace vas::app {

namespace asio = boost::asio;

namespace {

// How often it is looked whether all calls are gone.
constexpr auto kShutdownPoll = std::chrono::milliseconds(50);
// Within what service managers wait before they kill.
constexpr auto kLongestShutdown = std::chrono::seconds(8);
constexpr auto kFarewell = std::chrono::milliseconds(700);  // for the last BYE's response

}  // namespace

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

// From the watchdog's thread: the question goes the way that every piece of work comes.
void Server::ask_control(Time now) {
  pulse_.ask(now);
  asio::post(context_, [this, now] {
    pulse_.confirm();
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

control::PlatformController::Addresses Server::addresses() const {
  control::PlatformController::Addresses all{.node = config_.node};
  all.phone_server = config_.phone_server;
  all.media.push_back(to_string(config_.media.advertised_ipv4.value_or(config_.media.bind_ipv4)));
  if (config_.media.bind_ipv6) all.media.push_back(to_string(*config_.media.bind_ipv6));
  std::set<std::string> told;
  for (const signaling::Listener& listener : gateway_->listeners().all())
    told.insert(to_string(listener.advertised));
  all.signaling.assign(told.begin(), told.end());
  return all;
}

control::Snapshot Server::snapshot() const {
  return {.calls = call_controller_->open_calls(),
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
          .calls_refused = call_controller_->refused(),
          .quota = &call_controller_->quota(),
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
  log::info("", "shutting down: {} calls to end", call_controller_->open_calls());
  platform_->drain();
  call_controller_->shut_down();
  wait_for_calls(monotonic_now() + kLongestShutdown);
}

void Server::wait_for_calls(Time give_up_at) {
  const bool is_done = call_controller_->open_calls() == 0 || monotonic_now() >= give_up_at;
  shutdown_timer_.expires_after(is_done ? kFarewell : kShutdownPoll);
  shutdown_timer_.async_wait([this, is_done, give_up_at](boost::system::error_code) {
    if (!is_done) return wait_for_calls(give_up_at);
    gateway_->stop();
    context_.stop();
  });
}

}  // namespace vas::app
