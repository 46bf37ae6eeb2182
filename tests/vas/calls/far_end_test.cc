#include "vas/calls/far_end.h"

#include "tests/vas/calls/call_fixture.h"

namespace vas::calls {
namespace {

using Ranges = AddressPolicy::PrivateRanges;
using Verdict = FarEndRules::Verdict;

FarEndRules rules() {
  auto own = std::make_shared<OwnAddresses>();
  own->set({.local = {*Network::parse("203.0.113.1")}, .groups = {}});
  return {std::make_shared<AddressPolicy>(AddressPolicy::Door::kPeer, std::vector<Network>{}, own), 20000,
          29999};
}

std::string said(std::string_view sdp, std::string_view from, std::string_view to) {
  std::string text(sdp);
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

TEST(FarEnd, IsReachableBehindANatOrRefused) {
  const struct {
    const char* far;
    Ranges ranges;
    Verdict verdict;
  } kTable[] = {{"192.0.2.1:4000", Ranges::kClosed, Verdict::kReachable},
                {"10.0.0.1:4000", Ranges::kClosed, Verdict::kBehindNat},
                {"10.0.0.1:4000", Ranges::kOpen, Verdict::kReachable},
                {"192.0.0.4:4000", Ranges::kClosed, Verdict::kBehindNat},  // a phone on 464XLAT
                {"169.254.7.7:4000", Ranges::kClosed, Verdict::kBehindNat},
                {"240.0.0.1:4000", Ranges::kOpen, Verdict::kRefused},
                {"127.0.0.1:4000", Ranges::kOpen, Verdict::kRefused},
                {"203.0.113.1:4000", Ranges::kOpen, Verdict::kRefused},
                {"203.0.113.1:20000", Ranges::kClosed, Verdict::kReachable},  // the media plane knows whose
                {"127.0.0.1:29999", Ranges::kClosed, Verdict::kReachable},
                {"0.0.0.0:4000", Ranges::kClosed, Verdict::kReachable},  // a hold of old
                {"224.0.0.1:4000", Ranges::kOpen, Verdict::kRefused}};
  for (const auto& row : kTable)
    EXPECT_EQ(rules().verdict_on(*Endpoint::parse(row.far), row.ranges), row.verdict) << row.far;
}

class FarEndCallTest : public CallTest {
 protected:
  void begin_with(const std::string& offer) {
    CallSetup setup{.id = 7, .invite = invite(kCaller, offer), .far_ends = rules()};
    setup.plan.routes.push_back({.server = *HostPort::parse("198.51.100.1"), .number = "99"});
    begin(std::move(setup));
  }
};

TEST_F(FarEndCallTest, AnOfferThatPointsInsideIsRefusedWithTheReason) {
  begin_with(said(kOffer, "192.0.2.1", "127.0.0.1"));
  EXPECT_EQ(sent<RespondToInvite>()->status, 488);
  ASSERT_FALSE(sent<RespondToInvite>()->headers.empty());
  EXPECT_NE(sent<RespondToInvite>()->headers[0].value.find("a loopback address"), std::string::npos);
  EXPECT_EQ(call_->record().local_cause, LocalCause::kUnsafeMediaAddress);
}

TEST_F(FarEndCallTest, AnRtcpAttributeIsJudgedToo) {
  begin_with(std::string(kOffer) + "a=rtcp:4001 IN IP4 169.254.169.254\r\n");
  EXPECT_EQ(sent<RespondToInvite>()->status, 488);
}

TEST_F(FarEndCallTest, AnAnswerThatPointsInsideEndsTheCall) {
  begin_with(std::string(kOffer));
  on(SipEvent(answered(said(kAnswer, "192.0.2.2", "127.0.0.1"))));
  EXPECT_TRUE(call_->is_ended());
}

TEST_F(FarEndCallTest, APhoneBehindANatIsSentNothingBeforeItShowsItself) {
  begin_with(said(kOffer, "192.0.2.1", "10.0.0.9"));
  on(SipEvent(answered()));
  const auto* media = done<ConfigureLegMedia>();
  ASSERT_NE(media, nullptr);
  EXPECT_TRUE(media->config.must_show);
}

}  // namespace
}  // namespace vas::calls
