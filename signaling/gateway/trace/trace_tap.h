// Where messages are seen on their way: kept for `vasctl trace`, copied to a Homer.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_check.h"
#include "signaling/gateway/policy/gateway_config.h"
#include "signaling/gateway/policy/listener_table.h"
#include "signaling/gateway/trace/message_trace.h"
#include "signaling/sip/sip_message.h"

namespace vas::signaling {

// Threads:  the context's. Lifetime: borrows `config` and `listeners`.
// Bounds:   message_trace.h, hep.h.
class TraceTap {
 public:
  TraceTap(boost::asio::io_context& context, const GatewayConfig& config, const ListenerTable& listeners)
      : config_(config), listeners_(listeners), trace_(config.trace_bytes), hep_socket_(context) {}

  void bind();
  // `message`: as it came, or as the stack gave it; `text`: as it is on the wire.
  void keep(const SipMessage& message, std::string_view text, const Flow& flow, bool is_inbound);
  std::vector<TracedMessage> of(const std::string& token) const { return trace_.of(token); }

 private:
  const GatewayConfig& config_;
  const ListenerTable& listeners_;
  MessageTrace trace_;
  boost::asio::ip::udp::socket hep_socket_;
  ThreadCheck thread_check_{"TraceTap"};
};

}  // namespace vas::signaling
