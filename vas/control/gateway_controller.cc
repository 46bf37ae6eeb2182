#include "vas/control/gateway_controller.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace vas::control {

void GatewayController::list_bans(std::function<void(const std::vector<api::BannedSource>&)> done) {
  thread_check_.check();
  gateway_.list_bans([this, done = std::move(done)](const std::vector<signaling::Ban>& bans, Time now) {
    std::vector<api::BannedSource> all;
    for (const signaling::Ban& ban : bans) {
      const auto left = std::chrono::duration_cast<std::chrono::seconds>(ban.until - now);
      all.push_back({to_string(ban.source), std::string(to_string(ban.offence)), left.count(), ban.dropped});
    }
    boost::asio::post(context_, [done, all = std::move(all)] { done(all); });
  });
}

void GatewayController::lift_ban(const IpAddress& source, std::function<void(bool)> done) {
  thread_check_.check();
  gateway_.lift_ban(source, [this, done = std::move(done)](bool was_banned) {
    boost::asio::post(context_, [done, was_banned] { done(was_banned); });
  });
}

void GatewayController::trace(const std::string& token,
                              std::function<void(const std::vector<api::TracedMessage>&)> done) {
  thread_check_.check();
  gateway_.trace(token,
                 [this, done = std::move(done)](const std::vector<signaling::TracedMessage>& messages) {
                   std::vector<api::TracedMessage> all;
                   for (const signaling::TracedMessage& each : messages) {
                     all.push_back({each.at, signaling::to_string(each.transport), to_string(each.from),
                                    to_string(each.to), each.text});
                   }
                   boost::asio::post(context_, [done, all = std::move(all)] { done(all); });
                 });
}

}  // namespace vas::control
