#include "signaling/gateway/trace/trace_tap.h"

#include "base/asio_endpoint.h"
#include "base/clock.h"
#include "signaling/gateway/trace/hep.h"
#include "signaling/gateway/trace/message_secrets.h"

namespace vas::signaling {

namespace asio = boost::asio;

void TraceTap::bind() {
  if (!config_.hep_collector) return;
  const auto collector = to_asio<asio::ip::udp::endpoint>(*config_.hep_collector);
  hep_socket_.open(collector.protocol());
  hep_socket_.non_blocking(true);
}

void TraceTap::keep(const SipMessage& message, std::string_view text, const Flow& flow, bool is_inbound) {
  thread_check_.check();
  if (!trace_.is_on() && !config_.hep_collector) return;
  const HeaderField* call_id = message.first(HeaderName::kCallId);
  if (call_id == nullptr) return;
  const Endpoint& local = listeners_.of(flow).advertised;
  TracedMessage traced{wall_now(), flow.transport, is_inbound ? flow.peer : local,
                       is_inbound ? local : flow.peer, std::string(text)};
  // Inbound the caller's token; outbound what call control says the dialog belongs to.
  const std::string_view token =
      is_inbound ? value_of(message, HeaderName::kSessionToken) : private_value(message, kCallHeader);
  if (config_.hep_collector) {
    TracedMessage shown = traced;
    shown.text = without_secrets(shown.text, token);
    const std::string packet = hep_packet(shown, config_.hep_capture_id, call_id->value);
    boost::system::error_code ignored;  // a collector that is away misses some
    hep_socket_.send_to(asio::buffer(packet), to_asio<asio::ip::udp::endpoint>(*config_.hep_collector), 0,
                        ignored);
  }
  trace_.keep(std::move(traced), call_id->value);
  if (!token.empty()) trace_.link(token, call_id->value);
}

}  // namespace vas::signaling
