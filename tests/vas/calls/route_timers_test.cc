// How long a carrier may be silent, in virtual time, by what the real stack says of what the carrier sends.
#include "tests/support/sip_lab.h"
#include "tests/vas/calls/call_fixture.h"

namespace vas::calls {
namespace {

class RouteTimersTest : public CallTest {
 protected:
  // Two routes: the carrier, and one that is never reached over the network.
  void dial(std::optional<Duration> no_answer = {}, std::optional<Duration> progress = {}) {
    CallSetup setup{.id = 7, .invite = invite(kCaller), .caller_id = "1555", .from_host = "d.example"};
    setup.plan.routes.push_back({.server = *HostPort::parse(lab_.server()),
                                 .number = "990",
                                 .no_answer_timeout = no_answer,
                                 .progress_timeout = progress});
    setup.plan.routes.push_back({.server = *HostPort::parse("198.51.100.2:5060"), .number = "991"});
    setup.route_timeouts = domain_;
    begin(std::move(setup));
    ASSERT_NE(sent<SendInvite>(), nullptr);
    lab_.send(*sent<SendInvite>());
    invite_ = lab_.receive("INVITE");
  }
  // What the carrier answers reaches the call as the stack tells it.
  void carrier_says(const std::string& status, int code) {
    lab_.answer(invite_, status);
    const auto event = lab_.next<ProgressReceived>();
    EXPECT_EQ(event.status, code);
    on(SipEvent(event));
  }
  bool goes_on_to_the_next_route() const {
    const auto* next = sent<SendInvite>();
    return next != nullptr && next->request_uri == "sip:991@198.51.100.2:5060" &&
           sent<CancelInvite>() != nullptr;
  }

  directory::RouteTimeouts domain_;
  SipLab lab_;
  SipText invite_;
};

TEST_F(RouteTimersTest, ACarrierThatSays100HasTenSecondsToRing) {
  dial();
  advance(seconds(3));
  carrier_says("100 Trying", 100);
  advance(milliseconds(9999));
  EXPECT_EQ(sent<CancelInvite>(), nullptr);
  EXPECT_EQ(call_->record().last_sip_code, 100);
  carrier_says("180 Ringing", 180);
  EXPECT_EQ(sent<RespondToInvite>()->status, 180);
  advance(seconds(100));
  EXPECT_FALSE(call_->is_ended());
}

TEST_F(RouteTimersTest, AHundredAndThenNothingTriesTheNextRoute) {
  dial();
  carrier_says("100 Trying", 100);
  advance(seconds(9));
  carrier_says("100 Trying", 100);  // who says it again gets no more time
  EXPECT_FALSE(goes_on_to_the_next_route());
  advance(seconds(1));
  EXPECT_TRUE(goes_on_to_the_next_route());
  EXPECT_EQ(call_->record().route[0].code, 100);
  advance(seconds(4));
  EXPECT_EQ(call_->record().route[1].code, 0);
  EXPECT_EQ(call_->record().last_sip_code, 0);
  expect_end(Disposition::kCongestion, EndedBy::kSystem, "no-response");
}

TEST_F(RouteTimersTest, ACarrierThatSaysNothingHasFourSeconds) {
  dial();
  advance(milliseconds(3999));
  EXPECT_FALSE(goes_on_to_the_next_route());
  advance(milliseconds(1));
  EXPECT_TRUE(goes_on_to_the_next_route());
  EXPECT_EQ(call_->record().route[0].code, 0);
}

TEST_F(RouteTimersTest, TheDomainSaysHowLongAndTheTrunkBeforeIt) {
  domain_ = {.no_answer = seconds(2), .progress = seconds(30)};
  dial(std::nullopt, seconds(20));
  advance(milliseconds(1999));
  carrier_says("100 Trying", 100);
  advance(milliseconds(19999));
  EXPECT_FALSE(goes_on_to_the_next_route());
  advance(milliseconds(1));
  EXPECT_TRUE(goes_on_to_the_next_route());
  advance(milliseconds(1999));  // the next one is silent for as long as the domain says
  EXPECT_FALSE(call_->is_ended());
  advance(milliseconds(1));
  EXPECT_TRUE(call_->is_ended());
}

TEST_F(RouteTimersTest, ACarrierThatRingsWithout100HasItsTimeToRing) {
  dial(seconds(32), std::nullopt);
  advance(seconds(31));
  carrier_says("183 Session Progress", 183);
  advance(seconds(179));
  EXPECT_FALSE(call_->is_ended());
}

}  // namespace
}  // namespace vas::calls
