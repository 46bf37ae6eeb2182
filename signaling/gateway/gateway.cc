#include "signaling/gateway/gateway.h"

#include <pthread.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/clock.h"
#include "signaling/gateway/gateway_impl.h"

namespace vas::signaling {

namespace asio = boost::asio;

namespace {

constexpr Duration kForwardedMemory = std::chrono::minutes(5);  // an INVITE may ring so long
constexpr Duration kFigures = std::chrono::milliseconds(500);   // how often the gauges are set

}  // namespace

Result<bool> GatewayImpl::bind() {
  try {
    link_.bind();
    tap_.bind();
  } catch (const boost::system::system_error& failure) {
    return Error{std::string("no loopback port is left for the SIP stack: ") + failure.code().message()};
  }
  return transports_.bind();
}

void GatewayImpl::start(const std::vector<Endpoint>& stacks) {
  editor_.emplace(signer_, link_.local(), stacks);
  sender_.emplace(Sender::Parts{.editor = *editor_,
                                .signer = signer_,
                                .peers = config_.peers.get(),
                                .transactions = transactions_,
                                .gate = gate_,
                                .judge = judge_,
                                .link = link_,
                                .transports = transports_,
                                .resolver = *resolver_,
                                .tap = tap_,
                                .counters = counters_});
  link_.start(stacks, config_.sheds_load, [this](std::string_view text) { sender_->send_from_stack(text); });
  transports_.start();
  set_figures();
  thread_ = std::thread([this] { context_.run(); });
  pthread_setname_np(thread_.native_handle(), "vas-gateway");
}

void GatewayImpl::stop() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
  transports_.stop();
}

// What a new call waits at present: here, on its way through a stack, and on its way back.
Duration GatewayImpl::queue_age(std::size_t stack, Time now) const {
  return std::max({transports_.waited(), link_.age(stack, now), link_.waited()});
}

void GatewayImpl::set_figures() {
  const StreamCounters& streams = transports_.streams();
  counters_.connections = streams.connections.load();
  counters_.handshakes = streams.handshakes.load();
  counters_.handshakes_refused = streams.handshakes_refused.load();
  counters_.handshakes_failed = streams.handshakes_failed.load();
  Duration oldest{};
  const Time now = monotonic_now();
  for (std::size_t i = 0; i < link_.stacks(); ++i) oldest = std::max(oldest, queue_age(i, now));
  counters_.queue_age_us =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(oldest).count());
  std::erase_if(forwarded_, [&](const auto& each) { return now - each.second.second > kForwardedMemory; });
  look_ups_left_ = kLookUpsEach;
  figures_timer_.expires_after(kFigures);
  figures_timer_.async_wait([this](boost::system::error_code failure) {
    if (!failure) set_figures();
  });
}

void GatewayImpl::list_bans(std::function<void(const std::vector<Ban>&, Time)> done) {
  asio::post(context_, [this, done = std::move(done)] {
    const Time now = monotonic_now();
    done(judge_.ledger().bans(now), now);
  });
}

void GatewayImpl::lift_ban(const IpAddress& source, std::function<void(bool)> done) {
  asio::post(context_, [this, source, done = std::move(done)] { done(judge_.ledger().lift(source)); });
}

void GatewayImpl::trace(const std::string& token,
                        std::function<void(const std::vector<TracedMessage>&)> done) {
  asio::post(context_, [this, token, done = std::move(done)] { done(tap_.of(token)); });
}

std::size_t stack_of_call(std::string_view call_id, std::size_t stacks) {
  return stacks < 2 ? 0 : std::hash<std::string_view>{}(call_id) % stacks;
}

Result<std::unique_ptr<Gateway>> Gateway::open(const GatewayConfig& config) {
  auto gateway = std::make_unique<GatewayImpl>(config);
  if (auto bound = gateway->bind(); !bound) return Error{bound.error()};
  return std::unique_ptr<Gateway>(std::move(gateway));
}

}  // namespace vas::signaling
