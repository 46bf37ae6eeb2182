// A real SIP stack behind a real gateway, and a server at the far end of a UDP socket, scripted by hand: what
// the stack says of what comes over the network is what it really says.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "signaling/gateway/gateway.h"
#include "signaling/ua/sip_stack.h"
#include "tests/support/udp_socket.h"

namespace vas::signaling {

inline constexpr std::chrono::seconds kPatience{20};  // a loaded machine is slow, not wrong

// One message as text.
struct SipText {
  std::string text;

  std::string method() const { return text.substr(0, text.find(' ')); }
  std::string body() const { return text.substr(text.find("\r\n\r\n") + 4); }
  std::string request_uri() const {
    const auto from = text.find(' ') + 1;
    return text.substr(from, text.find(' ', from) - from);
  }
  std::vector<std::string> all(const std::string& name) const {
    std::vector<std::string> values;
    const std::string start = "\r\n" + name + ": ";
    for (auto at = text.find(start); at != std::string::npos; at = text.find(start, at + 2)) {
      const auto from = at + start.size();
      values.push_back(text.substr(from, text.find("\r\n", from) - from));
    }
    return values;
  }
  std::string header(const std::string& name) const {
    const auto values = all(name);
    return values.empty() ? std::string() : values.front();
  }
};

// Of a header's value: `nonce="x"` or `nc=00000001`.
inline std::string parameter_of(const std::string& value, const std::string& name) {
  const auto at = value.find(name + "=");
  if (at == std::string::npos) return {};
  const auto from = at + name.size() + 1;
  if (value[from] != '"') return value.substr(from, value.find_first_of(", ;", from) - from);
  return value.substr(from + 1, value.find('"', from + 1) - from - 1);
}

class SipLab {
 public:
  // `peers`: where requests may go; none: anywhere.
  explicit SipLab(std::shared_ptr<const AddressPolicy> peers = nullptr) {
    auto gateway =
        Gateway::open({.transports = {.sip = {*Endpoint::parse("127.0.0.1:0")}}, .peers = std::move(peers)});
    if (!gateway) ADD_FAILURE() << gateway.error();
    gateway_ = std::move(*gateway);
    auto stack = SipStack::open({}, *gateway_, events_);
    if (!stack) ADD_FAILURE() << stack.error();
    stack_ = std::move(*stack);
    gateway_->start(stack_->loopbacks());
  }

  std::string gateway() const { return to_string(gateway_->listeners().all().front().local); }
  std::string server() const { return to_string(far_.local()); }
  void send(SipCommand command) { stack_->send(std::move(command)); }

  // The next event, of whatever kind.
  SipEvent event() {
    const Time end = monotonic_now() + kPatience;
    while (arrived_.empty() && monotonic_now() < end) {
      wait(events_.descriptor());
      events_.drain([&](SipEvent&& event) { arrived_.push_back(std::move(event)); });
    }
    if (arrived_.empty()) {
      ADD_FAILURE() << "the stack says nothing";
      return {};
    }
    SipEvent event = std::move(arrived_.front());
    arrived_.pop_front();
    return event;
  }
  template <typename Event>
  Event next() {
    SipEvent got = event();
    if (auto* wanted = std::get_if<Event>(&got)) return std::move(*wanted);
    ADD_FAILURE() << "another event came: the " << got.index() << "th of SipEvent";
    return {};
  }
  bool is_silent() {
    wait(events_.descriptor());
    events_.drain([&](SipEvent&& event) { arrived_.push_back(std::move(event)); });
    return arrived_.empty();
  }

  // What the server gets next, repetitions left out.
  SipText receive() {
    const Time end = monotonic_now() + kPatience;
    while (monotonic_now() < end) {
      const auto got = far_.receive();
      SipText message{std::string(got.begin(), got.end())};
      if (got.empty()) {
        wait(far_.descriptor());
      } else if (std::find(seen_.begin(), seen_.end(), message.text) == seen_.end()) {
        seen_.push_back(message.text);
        return message;
      }
    }
    ADD_FAILURE() << "the server gets nothing";
    return {"? ? ?\r\n\r\n"};
  }
  // The same, unless the stack says something first.
  std::optional<SipText> receive_unless_event() {
    for (const Time end = monotonic_now() + kPatience; monotonic_now() < end;) {
      if (!is_silent()) return {};
      const auto got = far_.receive();
      SipText message{std::string(got.begin(), got.end())};
      if (got.empty() || std::find(seen_.begin(), seen_.end(), message.text) != seen_.end()) continue;
      seen_.push_back(message.text);
      return message;
    }
    return {};
  }
  SipText receive(const std::string& method) {
    SipText message = receive();
    EXPECT_EQ(message.method(), method);
    return message;
  }
  // Whether nothing new reaches the server for a little while.
  bool is_left_alone() {
    for (int i = 0; i < 5; ++i) {
      wait(far_.descriptor());
      const auto got = far_.receive();
      const std::string text(got.begin(), got.end());
      if (!got.empty() && std::find(seen_.begin(), seen_.end(), text) == seen_.end()) return false;
    }
    return true;
  }

  // `headers`: lines, each with its CRLF. `host`: of its Contact, where that is not the server.
  void answer(const SipText& request, const std::string& status, const std::string& headers = {},
              const std::string& body = {}, const std::string& tag = "far", const std::string& host = {}) {
    std::string text = "SIP/2.0 " + status + "\r\n";
    for (const std::string& via : request.all("Via")) text += "Via: " + via + "\r\n";
    const std::string to = request.header("To");
    const bool has_tag = to.find(";tag=") != std::string::npos || status.starts_with("100");
    text += "From: " + request.header("From") + "\r\nTo: " + to + (has_tag ? "" : ";tag=" + tag) +
            "\r\nCall-ID: " + request.header("Call-ID") + "\r\nCSeq: " + request.header("CSeq") +
            "\r\nContact: <sip:" + tag + "@" + (host.empty() ? server() : host) + ">\r\n" + headers;
    if (!body.empty()) text += "Content-Type: application/sdp\r\n";
    transmit(text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  void transmit(const std::string& text) {
    far_.send(gateway_->listeners().all().front().local,
              Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  }

 private:
  static void wait(int descriptor) {
    pollfd waiting{descriptor, POLLIN, 0};
    poll(&waiting, 1, 60);
  }

  Inbox<SipEvent> events_{1024};
  std::deque<SipEvent> arrived_;
  UdpSocket far_{"127.0.0.1:0"};
  std::vector<std::string> seen_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<SipStack> stack_;
};

}  // namespace vas::signaling
