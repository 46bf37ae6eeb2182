// A call in virtual time, and what the tests of calls say to it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "vas/calls/call.h"

namespace vas::calls {

using namespace signaling;
using records::Disposition;
using records::EndedBy;
using records::LocalCause;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr std::string_view kOffer =
    "v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 "
    "telephone-event/8000\r\n";
inline constexpr std::string_view kAnswer =
    "v=0\r\no=b 1 1 IN IP4 192.0.2.2\r\nc=IN IP4 192.0.2.2\r\nm=audio 5000 RTP/AVP 8 101\r\na=rtpmap:101 "
    "telephone-event/8000\r\n";
inline constexpr std::string_view kOpusOnly =
    "v=0\r\no=b 1 1 IN IP4 192.0.2.2\r\nc=IN IP4 192.0.2.2\r\nm=audio 5000 RTP/AVP 96\r\na=rtpmap:96 "
    "opus/48000/2\r\n";
inline constexpr std::string_view kHold =
    "v=0\r\no=a 1 2 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 "
    "telephone-event/8000\r\na=sendonly\r\n";
inline constexpr std::string_view kHeld =
    "v=0\r\no=b 1 2 IN IP4 192.0.2.2\r\nc=IN IP4 192.0.2.2\r\nm=audio 5000 RTP/AVP 8\r\na=recvonly\r\n";

inline constexpr DialogId kCaller{1};
inline constexpr DialogId kPickUp{2};

// OpenLeg is answered at once, as the media plane does where nothing is to be
// gathered; all else is kept for the test to look at.
class CallTest : public testing::Test {
 protected:
  InviteReceived invite(DialogId dialog, std::optional<std::string_view> sdp = kOffer) const {
    InviteReceived event{.dialog = dialog,
                         .source = {Transport::kUdp, *Endpoint::parse("192.0.2.1:5060"), 0},
                         .request_user = "x",
                         .call_id = "c"};
    if (sdp) event.sdp = std::string(*sdp);
    return event;
  }
  void begin_routed(std::size_t routes = 1, std::optional<std::string_view> sdp = kOffer) {
    CallSetup setup{.id = 7,
                    .kind = CallKind::kRouted,
                    .invite = invite(kCaller, sdp),
                    .caller_id = "1555",
                    .from_host = "d.example",
                    .time_limit_s = time_limit_};
    for (std::size_t i = 0; i < routes; ++i) {
      setup.plan.routes.push_back(
          {.server = *HostPort::parse("198.51.100." + std::to_string(i + 1) + ":5060"),
           .number = "99" + std::to_string(i)});
    }
    begin(std::move(setup));
  }
  void begin_parked(std::optional<std::string_view> sdp = kOffer) {
    begin({.id = 7, .kind = CallKind::kParked, .invite = invite(kCaller, sdp), .call_timeout = seconds(60)});
  }
  void begin(CallSetup setup) {
    call_.emplace(std::move(setup));
    CallActions actions;
    call_->start(now_, {}, actions);
    take(std::move(actions));
  }
  void on(const CallEvent& event) {
    actions_.clear();
    CallActions actions;
    call_->on(event, now_, {}, actions);
    take(std::move(actions));
  }
  void advance(Duration by) {
    now_ += by;
    actions_.clear();
    CallActions actions;
    call_->on_time(now_, {}, actions);
    take(std::move(actions));
  }
  void take(CallActions actions) {
    for (std::size_t i = 0; i < actions.size(); ++i) {
      const auto* open = std::get_if<OpenLeg>(&actions[i]);
      if (open != nullptr && !open->full_ice) {
        const bool has_family = has_ipv6_ || open->family == AddressFamily::kIpv4;
        call_->on(LegOpened{.side = open->side,
                            .local = has_ports_ && has_family ? std::optional(port_for(*open)) : std::nullopt,
                            .has_family = has_family},
                  now_, {}, actions);
      } else {
        actions_.push_back(actions[i]);
      }
    }
  }

  static Endpoint port_for(const OpenLeg& leg) {
    if (leg.family == AddressFamily::kIpv6)
      return *Endpoint::parse(leg.ports == bridge::PortUse::kShared ? "[2001:db8::1]:30000"
                                                                    : "[2001:db8::1]:20000");
    if (leg.ports == bridge::PortUse::kShared) return *Endpoint::parse("203.0.113.1:30000");
    return *Endpoint::parse(leg.side == LegSide::kA ? "203.0.113.1:20000" : "203.0.113.1:20002");
  }

  template <typename Command>
  const Command* sent() const {
    for (const CallAction& action : actions_) {
      const auto* command = std::get_if<SipCommand>(&action);
      if (command != nullptr && std::holds_alternative<Command>(*command))
        return &std::get<Command>(*command);
    }
    return nullptr;
  }
  template <typename Command>
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::count_if(actions_.begin(), actions_.end(), [](const CallAction& action) {
          const auto* command = std::get_if<SipCommand>(&action);
          return command != nullptr && std::holds_alternative<Command>(*command);
        }));
  }
  template <typename Action>
  const Action* done() const {
    for (const CallAction& action : actions_) {
      if (const auto* found = std::get_if<Action>(&action)) return found;
    }
    return nullptr;
  }
  // How many legs were configured before the first party had its response.
  std::ptrdiff_t configured_before_response() const {
    const auto response = std::find_if(actions_.begin(), actions_.end(), [](const CallAction& action) {
      const auto* command = std::get_if<SipCommand>(&action);
      return command != nullptr && std::holds_alternative<AnswerInvite>(*command);
    });
    return std::count_if(actions_.begin(), response, [](const CallAction& action) {
      return std::holds_alternative<ConfigureLegMedia>(action);
    });
  }
  DialogId callee() const { return {7 << 8 | attempts_}; }
  InviteAnswered answered(std::string_view sdp = kAnswer) const {
    return {.dialog = callee(), .call_id = "b", .sdp = std::string(sdp)};
  }
  void connect() {
    begin_routed();
    on(SipEvent(answered()));
    ASSERT_NE(done<StartMedia>(), nullptr);
  }
  void park() {
    begin_parked();
    on(BackendAnswered{BackendOutcome::kPark});
  }
  void expect_end(Disposition disposition, EndedBy by, const char* reason) const {
    ASSERT_TRUE(call_->is_ended());
    EXPECT_EQ(call_->record().disposition, disposition);
    EXPECT_EQ(call_->record().ended_by, by);
    EXPECT_EQ(call_->record().termination_reason, reason);
  }

  Time now_{seconds(1000)};
  std::optional<std::int64_t> time_limit_;
  bool has_ports_ = true;
  bool has_ipv6_ = true;
  std::uint64_t attempts_ = 1;
  std::optional<Call> call_;
  CallActions actions_;
};

}  // namespace vas::calls
