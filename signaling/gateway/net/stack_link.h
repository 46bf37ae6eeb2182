// The loopback between the gateway and the SIP stacks behind it, and how long a message takes to get through.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <string_view>
#include <vector>

#include "base/endpoint.h"
#include "base/thread_check.h"
#include "base/time.h"
#include "signaling/gateway/net/datagram_reader.h"

namespace vas::signaling {

// What probes are recognised by: a response to nothing, that ends in the stack's callback for strays.
inline constexpr std::string_view kProbeCallId = "vas-probe";

// A probe goes the way of every message: through the stack's socket, its loop, and call control's queue. Its
// age is what a new call would wait. There are probes as long as there is anything to wait behind.
//
// Threads: the context's; confirm_probe from any.
// Bounds:  the sockets' buffers; what is over is lost, as on any network, and retransmitted.
class StackLink {
 public:
  using Receive = std::function<void(std::string_view text)>;

  explicit StackLink(boost::asio::io_context& context);

  void bind();
  void start(const std::vector<Endpoint>& stacks, bool probes, Receive receive);

  const Endpoint& local() const { return local_; }
  const Endpoint& stack(std::size_t number) const { return stacks_[number].endpoint; }
  std::size_t stacks() const { return stacks_.size(); }
  void send(std::size_t stack, std::string_view text);

  // Of the oldest probe that is under way, or of the last that came through. One that is confirmed says that
  // those before it are through too, or lost: what is lost makes no queue look long.
  Duration age(std::size_t stack, Time now) const { return age(stacks_[stack], now); }
  void confirm_probe(std::uint64_t number);
  // How long what the stacks send waits for us at present.
  Duration waited() const { return reader_.waited(); }

 private:
  // At one each 20 ms: two and a half seconds, after which a probe is lost.
  static constexpr std::size_t kProbesKept = 128;

  struct Stack {
    Endpoint endpoint;
    std::uint64_t probe = 0;                  // number of the last one sent
    std::array<Time, kProbesKept> sent{};     // by number, the last ones
    std::atomic<std::uint64_t> confirmed{0};  // modulo kProbeSpan
    std::atomic<Time::rep> confirmed_at{0};

    Time& sent_at(std::uint64_t number) { return sent[number % kProbesKept]; }
    Time sent_at(std::uint64_t number) const { return sent[number % kProbesKept]; }

    explicit Stack(const Endpoint& at) : endpoint(at) {}
    Stack(Stack&& other) noexcept : endpoint(other.endpoint) {}
  };

  static Duration age(const Stack& stack, Time now);
  void put(std::size_t stack, std::string_view text);
  void probe();
  bool is_idle(Time now) const;

  boost::asio::ip::udp::socket socket_;
  Endpoint local_;
  std::vector<Stack> stacks_;
  Receive receive_;
  DatagramReader reader_;
  boost::asio::steady_timer timer_;
  bool probes_ = false;
  bool is_probing_ = false;
  bool has_sent_ = false;  // since the last probe
  ThreadCheck thread_check_{"StackLink"};
};

}  // namespace vas::signaling
