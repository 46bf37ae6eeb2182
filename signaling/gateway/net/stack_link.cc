#include "signaling/gateway/net/stack_link.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/asio_endpoint.h"
#include "base/clock.h"
#include "base/socket_options.h"
#include "signaling/sip/reason_phrase.h"

namespace vas::signaling {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;
using boost::system::error_code;

// A burst, while another thread has the core.
constexpr int kBuffer = 4 << 20;
// Fifty small messages a second; the age of the queue is known to this much.
constexpr Duration kProbeEvery = std::chrono::milliseconds(20);
// Numbers of one stack's probes: at fifty a second they repeat after 20 minutes.
constexpr std::uint64_t kProbeSpan = 1 << 16;

}  // namespace

StackLink::StackLink(asio::io_context& context)
    : socket_(context),
      reader_(socket_,
              [this](std::string_view text, const Endpoint& from) {
                const bool is_stack = std::any_of(stacks_.begin(), stacks_.end(),
                                                  [&](const Stack& each) { return each.endpoint == from; });
                if (is_stack) receive_(text);
              }),
      timer_(context) {}

void StackLink::bind() {
  socket_.open(udp::v4());
  ask_for_receive_buffer(socket_.native_handle(), kBuffer);
  socket_.bind({asio::ip::address_v4::loopback(), 0});
  socket_.non_blocking(true);
  local_ = from_asio(socket_.local_endpoint());
}

void StackLink::start(const std::vector<Endpoint>& stacks, bool probes, Receive receive) {
  stacks_.reserve(stacks.size());
  for (const Endpoint& each : stacks) stacks_.emplace_back(each);
  receive_ = std::move(receive);
  reader_.start();
  probes_ = probes;
}

void StackLink::send(std::size_t stack, std::string_view text) {
  thread_check_.check();
  put(stack, text);
  has_sent_ = true;
  if (probes_ && !is_probing_) probe();
}

void StackLink::put(std::size_t stack, std::string_view text) {
  error_code ignored;
  socket_.send_to(asio::buffer(text), to_asio<udp::endpoint>(stacks_[stack].endpoint), 0, ignored);
}

// Where nothing is sent nothing waits, once the last probe has come through in no time (one that has not is
// older by now): what it says stays true, and an idle server sleeps.
bool StackLink::is_idle(Time now) const {
  return !has_sent_ && std::all_of(stacks_.begin(), stacks_.end(),
                                   [&](const Stack& each) { return age(each, now) < kProbeEvery; });
}

// Probe k of stack s has the number k * stacks + s, with k modulo kProbeSpan: a CSeq has 31 bits.
void StackLink::probe() {
  for (std::size_t s = 0; s < stacks_.size(); ++s) {
    Stack& stack = stacks_[s];
    ++stack.probe;
    stack.sent_at(stack.probe) = monotonic_now();
    put(s, fmt::format("SIP/2.0 200 {}\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKprobe\r\n"
                       "From: <sip:gateway@localhost>;tag=p\r\nTo: <sip:stack@localhost>;tag=p\r\n"
                       "Call-ID: {}\r\nCSeq: {} OPTIONS\r\nContent-Length: 0\r\n\r\n",
                       reason_phrase(200), to_string(stack.endpoint), kProbeCallId,
                       stack.probe % kProbeSpan * stacks_.size() + s));
  }
  has_sent_ = false;
  is_probing_ = true;
  timer_.expires_after(kProbeEvery);
  timer_.async_wait([this](error_code failure) {
    if (failure) return;
    is_probing_ = !is_idle(monotonic_now());
    if (is_probing_) probe();
  });
}

void StackLink::confirm_probe(std::uint64_t number) {
  if (stacks_.empty()) return;
  Stack& stack = stacks_[number % stacks_.size()];
  stack.confirmed_at.store(monotonic_now().time_since_epoch().count(), std::memory_order_relaxed);
  stack.confirmed.store(number / stacks_.size(), std::memory_order_release);
}

Duration StackLink::age(const Stack& stack, Time now) {
  if (stack.probe == 0) return {};
  const std::uint64_t behind = (stack.probe - stack.confirmed.load(std::memory_order_acquire)) % kProbeSpan;
  if (behind == 0)
    return Time(Duration(stack.confirmed_at.load(std::memory_order_relaxed))) - stack.sent_at(stack.probe);
  const std::uint64_t kept = std::min<std::uint64_t>({behind, stack.probe, kProbesKept});
  return now - stack.sent_at(stack.probe - kept + 1);
}

}  // namespace vas::signaling
