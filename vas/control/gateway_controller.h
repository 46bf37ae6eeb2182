// What the gateway says to the API, brought to control's thread.
#pragma once

#include <boost/asio/io_context.hpp>

#include "base/thread_check.h"
#include "signaling/gateway/gateway.h"
#include "vas/api/gateway_service.h"

namespace vas::control {

// Threads: control only.
class GatewayController final : public api::GatewayService {
 public:
  GatewayController(boost::asio::io_context& context, signaling::Gateway& gateway)
      : context_(context), gateway_(gateway) {}

  void list_bans(std::function<void(const std::vector<api::BannedSource>&)> done) override;
  void lift_ban(const IpAddress& source, std::function<void(bool)> done) override;
  void trace(const std::string& token,
             std::function<void(const std::vector<api::TracedMessage>&)> done) override;

 private:
  boost::asio::io_context& context_;
  signaling::Gateway& gateway_;
  ThreadCheck thread_check_{"GatewayController"};
};

}  // namespace vas::control
