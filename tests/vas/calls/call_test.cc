#include "tests/vas/calls/call_fixture.h"

namespace vas::calls {
namespace {

// ---- out ----

TEST_F(CallTest, DialsTheRouteWithOurAddressAndAnswersWithWhatBothShare) {
  begin_routed();
  const auto* out = sent<SendInvite>();
  ASSERT_NE(out, nullptr);
  EXPECT_EQ(out->request_uri, "sip:990@198.51.100.1:5060");
  EXPECT_NE(out->sdp.find("m=audio 20002 RTP/AVP 0 8 101"), std::string::npos);
  on(SipEvent(answered()));
  const auto* answer = sent<AnswerInvite>();
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(answer->status, 200);
  EXPECT_NE(answer->sdp.find("m=audio 20000 RTP/AVP 8 101"), std::string::npos);
  EXPECT_NE(done<ConsumeToken>(), nullptr);
}

// Who has its 200 sends at once, and the first packet is to meet a leg that knows its formats.
TEST_F(CallTest, LegsAreConfiguredBeforeThe200) {
  begin_routed();
  on(SipEvent(answered()));
  EXPECT_EQ(sent<AnswerInvite>()->status, 200);
  EXPECT_EQ(configured_before_response(), 2);
}

TEST_F(CallTest, LegsOfAParkedCallAreConfiguredBeforeThe200s) {
  park();
  on(PickUp{invite(kPickUp, kAnswer)});
  EXPECT_EQ(count<AnswerInvite>(), 2u);
  EXPECT_EQ(configured_before_response(), 2);
}

TEST_F(CallTest, RingingPassesBackAndEarlyMediaWithIt) {
  begin_routed();
  on(SipEvent(ProgressReceived{callee(), 100, {}}));
  EXPECT_EQ(sent<AnswerInvite>(), nullptr);
  on(SipEvent(ProgressReceived{callee(), 180, {}}));
  EXPECT_EQ(sent<AnswerInvite>()->status, 180);
  EXPECT_EQ(sent<AnswerInvite>()->sdp, "");
  on(SipEvent(ProgressReceived{callee(), 183, std::string(kAnswer)}));
  EXPECT_EQ(sent<AnswerInvite>()->status, 183);
  EXPECT_NE(sent<AnswerInvite>()->sdp, "");
  EXPECT_NE(done<ConfigureLegMedia>(), nullptr);
}

TEST_F(CallTest, NoAnswerInFourSecondsFailsOver) {
  begin_routed(2);
  advance(milliseconds(3999));
  EXPECT_EQ(sent<SendInvite>(), nullptr);
  advance(milliseconds(1));
  EXPECT_EQ(sent<CancelInvite>()->dialog, callee());
  ++attempts_;
  EXPECT_EQ(sent<SendInvite>()->dialog, callee());
  EXPECT_EQ(call_->record().route.size(), 2u);
  EXPECT_EQ(call_->record().route[0].code, 0);
}

TEST_F(CallTest, ATryingThatIsFollowedByNothingFailsOverAfterTenSeconds) {
  begin_routed(2);
  advance(seconds(3));
  on(SipEvent(ProgressReceived{callee(), 100, {}}));
  advance(seconds(9));
  EXPECT_EQ(sent<SendInvite>(), nullptr);
  advance(seconds(1));
  EXPECT_NE(sent<SendInvite>(), nullptr);
}

TEST_F(CallTest, WhatASilentRouteAnswersLaterIsHungUp) {
  begin_routed(2);
  const DialogId abandoned = callee();
  advance(seconds(4));
  ++attempts_;
  on(SipEvent(InviteAnswered{.dialog = abandoned, .sdp = std::string(kAnswer)}));
  EXPECT_EQ(sent<SendBye>()->dialog, abandoned);
  EXPECT_FALSE(call_->is_ended());
  on(SipEvent(answered()));
  EXPECT_NE(done<StartMedia>(), nullptr);
}

TEST_F(CallTest, ServerFaultsFailOverAndRefusalsDoNot) {
  begin_routed(2);
  on(SipEvent(InviteFailed{callee(), 503, ""}));
  ++attempts_;
  EXPECT_NE(sent<SendInvite>(), nullptr);
  on(SipEvent(InviteFailed{callee(), 486, ""}));
  EXPECT_EQ(sent<AnswerInvite>()->status, 486);
  expect_end(Disposition::kBusy, EndedBy::kCallee, "rejected");
}

// RFC 3261 section 13.3.1.
TEST_F(CallTest, AnInviteThatExpiresIsOverAsIfItWereCancelled) {
  const auto begin_expiring = [&](std::uint32_t seconds) {
    CallSetup setup{.id = 7, .kind = CallKind::kRouted, .invite = invite(kCaller)};
    setup.invite.expires_s = seconds;
    for (const char* server : {"198.51.100.1:5060", "198.51.100.2:5060"})
      setup.plan.routes.push_back({.server = *HostPort::parse(server), .number = "1"});
    actions_.clear();
    attempts_ = 1;
    begin(std::move(setup));
  };
  begin_expiring(30);
  on(SipEvent(InviteFailed{callee(), 503, "", "", {}}));
  ++attempts_;
  on(SipEvent(ProgressReceived{callee(), 180, {}}));
  advance(seconds(30) - milliseconds(1));
  EXPECT_FALSE(call_->is_ended());
  advance(milliseconds(1));
  EXPECT_EQ(sent<AnswerInvite>()->status, 487);
  EXPECT_EQ(sent<CancelInvite>()->dialog, callee());
  expect_end(Disposition::kCancelled, EndedBy::kCaller, "expired");

  begin_expiring(30);
  on(SipEvent(answered()));
  advance(seconds(31));
  EXPECT_FALSE(call_->is_ended()) << "what was answered does not expire";

  begin_expiring(0);
  advance(seconds(2));
  EXPECT_FALSE(call_->is_ended()) << "nobody calls to have no answer";
}

TEST_F(CallTest, ARedirectIsNeverFollowedNorPassed) {
  begin_routed(1);
  on(SipEvent(InviteFailed{callee(), 302, ""}));
  EXPECT_EQ(sent<SendInvite>(), nullptr);
  EXPECT_EQ(sent<AnswerInvite>()->status, 480);
}

TEST_F(CallTest, ACarriersChallengeNeverReachesTheCaller) {
  for (const int status : {401, 407}) {
    begin_routed(1);
    on(SipEvent(InviteFailed{callee(), status, ""}));
    EXPECT_EQ(sent<AnswerInvite>()->status, 500);
    EXPECT_EQ(call_->record().last_sip_code, status);
    EXPECT_EQ(call_->record().local_cause, LocalCause::kTrunkAuthentication);
    expect_end(Disposition::kFailed, EndedBy::kSystem, "rejected");
  }
}

TEST_F(CallTest, EachHopIsCounted) {
  begin_routed();
  EXPECT_EQ(sent<SendInvite>()->max_forwards, 69);
  CallSetup last{.id = 8, .invite = invite(kCaller)};
  last.invite.max_forwards = 0;
  last.plan.routes.push_back({.server = *HostPort::parse("198.51.100.1:5060"), .number = "1"});
  actions_.clear();
  begin(std::move(last));
  EXPECT_EQ(sent<SendInvite>(), nullptr);
  EXPECT_EQ(sent<AnswerInvite>()->status, 483);
}

TEST_F(CallTest, WithNoRouteTheCallIsRefused) {
  begin_routed(0);
  EXPECT_EQ(sent<AnswerInvite>()->status, 404);
  EXPECT_EQ(call_->record().local_cause, LocalCause::kDirectionBlocked);
}

TEST_F(CallTest, WithNoMediaPortTheCallGets503) {
  has_ports_ = false;
  begin_routed();
  EXPECT_EQ(sent<AnswerInvite>()->status, 503);
}

constexpr std::string_view kIpv6Offer =
    "v=0\r\no=a 1 1 IN IP6 2001:db8::7\r\nc=IN IP6 2001:db8::7\r\nm=audio 4000 RTP/AVP 0 8\r\n";

TEST_F(CallTest, AnOfferOfAnIpVersionThatIsNotOursIsNotAcceptableAndSaysWhy) {
  has_ipv6_ = false;
  begin_routed(1, kIpv6Offer);
  ASSERT_NE(sent<AnswerInvite>(), nullptr);
  EXPECT_EQ(sent<AnswerInvite>()->status, 488);
  ASSERT_EQ(sent<AnswerInvite>()->headers.size(), 1u);
  EXPECT_NE(sent<AnswerInvite>()->headers[0].value.find("IPv6"), std::string::npos);
  EXPECT_EQ(sent<SendInvite>(), nullptr);
  expect_end(Disposition::kFailed, EndedBy::kSystem, "no-ipv6");
}

TEST_F(CallTest, ARouteOfAnIpVersionThatIsNotOursIsPassedOver) {
  has_ipv6_ = false;
  CallSetup setup{.id = 7, .invite = invite(kCaller), .caller_id = "1555", .from_host = "d.example"};
  for (const char* server : {"[2001:db8::1]:5060", "[2001:db8::2]:5060", "198.51.100.3:5060"})
    setup.plan.routes.push_back({.server = *HostPort::parse(server), .number = "990"});
  begin(std::move(setup));
  ASSERT_EQ(count<SendInvite>(), 1u);
  EXPECT_EQ(sent<SendInvite>()->request_uri, "sip:990@198.51.100.3:5060");
  EXPECT_EQ(sent<AnswerInvite>(), nullptr);
  EXPECT_EQ(call_->record().route.size(), 3u);
}

TEST_F(CallTest, WhereNoRouteIsOfOurIpVersionTheCallEndsAndSaysWhy) {
  has_ipv6_ = false;
  CallSetup setup{.id = 7, .invite = invite(kCaller), .caller_id = "1555", .from_host = "d.example"};
  setup.plan.routes.push_back({.server = *HostPort::parse("[2001:db8::1]:5060"), .number = "990"});
  begin(std::move(setup));
  ASSERT_NE(sent<AnswerInvite>(), nullptr);
  EXPECT_EQ(sent<AnswerInvite>()->status, 500);  // a 503 would have the caller try again
  expect_end(Disposition::kCongestion, EndedBy::kSystem, "no-ipv6");
}

TEST_F(CallTest, WhoPicksUpWithSuchAnOfferIsToldAndTheCallerWaits) {
  has_ipv6_ = false;
  park();
  on(PickUp{invite(kPickUp, kIpv6Offer)});
  ASSERT_NE(sent<AnswerInvite>(), nullptr);
  EXPECT_EQ(sent<AnswerInvite>()->status, 488);
  ASSERT_FALSE(sent<AnswerInvite>()->headers.empty());
  EXPECT_NE(sent<AnswerInvite>()->headers[0].value.find("IPv6"), std::string::npos);
  EXPECT_TRUE(call_->is_waiting_for_pick_up());
}

TEST_F(CallTest, AnAnswerWithoutACommonCodecEndsBothSides) {
  begin_routed();
  on(SipEvent(answered(kOpusOnly)));
  EXPECT_EQ(sent<SendBye>()->dialog, callee());
  EXPECT_EQ(sent<AnswerInvite>()->status, 488);
}

TEST_F(CallTest, ACallerWithoutSdpIsOfferedTheCalleesCodecs) {
  begin_routed(1, std::nullopt);
  EXPECT_NE(sent<SendInvite>()->sdp.find("opus/48000/2"), std::string::npos);
  on(SipEvent(answered()));
  EXPECT_NE(sent<AnswerInvite>()->sdp.find("RTP/AVP 8 101"), std::string::npos);
  on(SipEvent(AckReceived{kCaller, std::string(kOffer)}));
  EXPECT_EQ(done<ConfigureLegMedia>()->side, LegSide::kA);
}

TEST_F(CallTest, AnAckWithoutItsAnswerEndsTheCall) {
  begin_routed(1, std::nullopt);
  on(SipEvent(answered()));
  on(SipEvent(AckReceived{kCaller, {}}));
  EXPECT_EQ(count<SendBye>(), 2u);
  EXPECT_TRUE(call_->is_ended());
}

TEST_F(CallTest, RingsForThreeMinutesAtMost) {
  begin_routed();
  on(SipEvent(ProgressReceived{callee(), 180, {}}));
  advance(seconds(179));
  EXPECT_FALSE(call_->is_ended());
  advance(seconds(1));
  EXPECT_NE(sent<CancelInvite>(), nullptr);
  expect_end(Disposition::kNoAnswer, EndedBy::kSystem, "no-answer");
}

// ---- in ----

TEST_F(CallTest, ParksWith180AndJoinsWhoPicksUp) {
  begin_parked();
  EXPECT_NE(done<NotifyBackend>(), nullptr);
  on(BackendAnswered{BackendOutcome::kPark});
  EXPECT_EQ(sent<AnswerInvite>()->status, 180);
  on(PickUp{invite(kPickUp, kAnswer)});
  EXPECT_EQ(count<AnswerInvite>(), 2u);
  EXPECT_NE(done<StartMedia>(), nullptr);
  EXPECT_NE(done<ConsumeToken>(), nullptr);
}

TEST_F(CallTest, APickUpMayBeFasterThanTheBackendsAnswer) {
  begin_parked();
  on(PickUp{invite(kPickUp, kAnswer)});
  EXPECT_NE(done<StartMedia>(), nullptr);
  on(BackendAnswered{BackendOutcome::kNotFound});
  EXPECT_FALSE(call_->is_ended());
}

TEST_F(CallTest, AChangedCallTimeoutCountsFromTheParking) {
  park();
  advance(seconds(10));
  on(CallTimeoutChanged{seconds(30)});
  advance(seconds(19));
  EXPECT_FALSE(call_->is_ended());
  advance(seconds(1));
  expect_end(Disposition::kNoAnswer, EndedBy::kSystem, "no-answer");

  park();
  advance(seconds(50));
  on(CallTimeoutChanged{seconds(120)});
  advance(seconds(69));
  EXPECT_FALSE(call_->is_ended());
  on(CallTimeoutChanged{seconds(5)});
  advance({});
  EXPECT_TRUE(call_->is_ended()) << "it is over already";
}

TEST_F(CallTest, ACallTimeoutOfACallThatIsNotWaitingChangesNothing) {
  begin_parked();
  on(CallTimeoutChanged{seconds(30)});
  advance(seconds(5));
  on(BackendAnswered{BackendOutcome::kPark});
  advance(seconds(29));
  EXPECT_FALSE(call_->is_ended()) << "it counts anew when the backend has parked the call";
  on(PickUp{invite(kPickUp, kAnswer)});
  on(CallTimeoutChanged{seconds(1)});
  advance(seconds(100));
  EXPECT_FALSE(call_->is_ended());
}

TEST_F(CallTest, APickUpWithoutACommonCodecLeavesTheCallerParkedAndTheTokenFree) {
  park();
  on(PickUp{invite(kPickUp, kOpusOnly)});
  EXPECT_EQ(sent<AnswerInvite>()->dialog, kPickUp);
  EXPECT_EQ(sent<AnswerInvite>()->status, 488);
  EXPECT_NE(done<ReleaseToken>(), nullptr);
  EXPECT_TRUE(call_->is_waiting_for_pick_up());
  on(PickUp{invite({3}, kAnswer)});
  EXPECT_NE(done<StartMedia>(), nullptr);
}

TEST_F(CallTest, OfTwoPickUpsTheSecondGets403) {
  park();
  on(PickUp{invite(kPickUp, kAnswer)});
  on(PickUp{invite({3}, kAnswer)});
  EXPECT_EQ(sent<AnswerInvite>()->dialog, DialogId{3});
  EXPECT_EQ(sent<AnswerInvite>()->status, 403);
  EXPECT_FALSE(call_->is_ended());
}

TEST_F(CallTest, BackendOutcomesMapToTheirCodes) {
  for (const auto& [outcome, status] : {std::pair{BackendOutcome::kNotFound, 404},
                                        {BackendOutcome::kForbidden, 403},
                                        {BackendOutcome::kUnreachable, 480}}) {
    begin_parked();
    on(BackendAnswered{outcome});
    EXPECT_EQ(sent<AnswerInvite>()->status, status);
    EXPECT_TRUE(call_->is_ended());
  }
}

TEST_F(CallTest, ABackendThatHangsCostsTheCallerTenSeconds) {
  begin_parked();
  advance(milliseconds(9999));
  EXPECT_FALSE(call_->is_ended());
  advance(milliseconds(1));
  EXPECT_EQ(sent<AnswerInvite>()->status, 480);
  expect_end(Disposition::kFailed, EndedBy::kSystem, "backend-unreachable");
}

TEST_F(CallTest, ABackendThatAnsweredHasNoDeadlineAnyMore) {
  park();
  advance(seconds(30));
  EXPECT_TRUE(call_->is_waiting_for_pick_up());
  begin_parked();
  on(PickUp{invite(kPickUp, kAnswer)});  // faster than the backend's answer
  advance(seconds(30));
  EXPECT_FALSE(call_->is_ended());
}

TEST_F(CallTest, AnApplicationRejectsWithItsCode) {
  for (const auto& [code, disposition] :
       {std::pair{486, Disposition::kBusy}, {603, Disposition::kDenied}, {404, Disposition::kFailed}}) {
    begin_parked();
    on(BackendAnswered{.outcome = BackendOutcome::kReject, .code = code});
    EXPECT_EQ(sent<AnswerInvite>()->status, code);
    expect_end(disposition, EndedBy::kCallee, "application-rejected");
  }
}

TEST_F(CallTest, AnApplicationRoutesTheCallWithFailoverAndNobodyPicksItUp) {
  begin_parked();
  RoutingPlan plan;
  for (const char* address : {"198.51.100.1:5060", "198.51.100.2:5060"})
    plan.routes.push_back({.server = *HostPort::parse(address), .number = "77"});
  on(BackendAnswered{.outcome = BackendOutcome::kRoute, .plan = plan});
  ASSERT_NE(sent<SendInvite>(), nullptr);
  EXPECT_EQ(sent<SendInvite>()->request_uri, "sip:77@198.51.100.1:5060");
  EXPECT_FALSE(call_->is_waiting_for_pick_up());
  on(PickUp{invite(kPickUp, kAnswer)});
  EXPECT_EQ(sent<AnswerInvite>()->status, 403);
  advance(seconds(4));
  ASSERT_NE(sent<SendInvite>(), nullptr) << "the first route is silent";
  EXPECT_EQ(sent<SendInvite>()->request_uri, "sip:77@198.51.100.2:5060");
  advance(seconds(60));
  EXPECT_TRUE(call_->is_ended()) << "the timers of a routed call";
}

TEST_F(CallTest, CallTimeoutRunsFromTheParking) {
  begin_parked();
  advance(seconds(8));
  on(BackendAnswered{BackendOutcome::kPark});
  advance(seconds(59));
  EXPECT_FALSE(call_->is_ended());
  advance(seconds(1));
  EXPECT_EQ(sent<AnswerInvite>()->status, 480);
  expect_end(Disposition::kNoAnswer, EndedBy::kSystem, "no-answer");
}

TEST_F(CallTest, BothSidesWithoutSdpMeetOnPcmu) {
  begin_parked(std::nullopt);
  on(BackendAnswered{BackendOutcome::kPark});
  on(PickUp{invite(kPickUp, std::nullopt)});
  EXPECT_EQ(count<AnswerInvite>(), 2u);
  EXPECT_NE(sent<AnswerInvite>()->sdp.find("PCMU/8000"), std::string::npos);
}

// ---- up ----

TEST_F(CallTest, TheTimeLimitRunsFromTheAnswerAndMovesBothWays) {
  time_limit_ = 60;
  begin_routed();
  advance(seconds(2));
  on(SipEvent(answered()));
  on(TimeLimitChanged{10});
  advance(milliseconds(9999));
  EXPECT_FALSE(call_->is_ended());
  on(TimeLimitChanged{20});
  advance(milliseconds(10000));
  EXPECT_FALSE(call_->is_ended());
  advance(milliseconds(1));
  EXPECT_EQ(count<SendBye>(), 2u);
  expect_end(Disposition::kAnswered, EndedBy::kSystem, "time-limit");
}

TEST_F(CallTest, ATimeLimitThatHasPassedAlreadyEndsTheCallAtOnceAndNoneNever) {
  connect();
  on(TimeLimitChanged{std::nullopt});
  advance(std::chrono::hours(30));
  EXPECT_FALSE(call_->is_ended());
  on(TimeLimitChanged{5});
  advance(Duration(0));
  EXPECT_TRUE(call_->is_ended());
}

TEST_F(CallTest, HoldPassesEndToEndAndReachesTheMedia) {
  connect();
  on(SipEvent(OfferReceived{kCaller, {1}, std::string(kHold)}));
  EXPECT_EQ(sent<SendOffer>()->dialog, callee());
  EXPECT_NE(sent<SendOffer>()->sdp.find("a=sendonly"), std::string::npos);
  on(SipEvent(OfferAnswered{callee(), 200, std::string(kHeld)}));
  EXPECT_EQ(sent<AnswerRequest>()->status, 200);
  EXPECT_NE(sent<AnswerRequest>()->sdp.find("a=recvonly"), std::string::npos);
  EXPECT_FALSE(done<ConfigureLegMedia>()->config.receives);
}

TEST_F(CallTest, WhoComesIntoANetworkOfTheOtherIpVersionGetsALegThere) {
  connect();
  std::string moved(kOffer);
  for (auto at = moved.find("IP4 192.0.2.1"); at != std::string::npos; at = moved.find("IP4 192.0.2.1"))
    moved.replace(at, 13, "IP6 2001:db8::7");
  on(SipEvent(OfferReceived{kCaller, {1}, moved}));
  EXPECT_NE(sent<SendOffer>()->sdp.find("IP4 203.0.113.1"), std::string::npos) << "of the other's leg";
  on(SipEvent(OfferAnswered{callee(), 200, std::string(kAnswer)}));
  ASSERT_NE(sent<AnswerRequest>(), nullptr);
  EXPECT_NE(sent<AnswerRequest>()->sdp.find("c=IN IP6 2001:db8::1"), std::string::npos)
      << sent<AnswerRequest>()->sdp;
  ASSERT_NE(done<ConfigureLegMedia>(), nullptr);
  EXPECT_EQ(done<ConfigureLegMedia>()->config.far_rtp, *Endpoint::parse("[2001:db8::7]:4000"));
}

TEST_F(CallTest, AnOfferFromAnotherNetworkMovesWhoMayBeTheLegsParty) {
  connect();
  const Endpoint moved = *Endpoint::parse("198.51.100.77:5062");
  on(SipEvent(OfferReceived{kCaller, {1}, std::string(kOffer), {Transport::kUdp, moved, 0}}));
  on(SipEvent(OfferAnswered{callee(), 200, std::string(kAnswer)}));
  ASSERT_NE(done<ConfigureLegMedia>(), nullptr);
  EXPECT_EQ(done<ConfigureLegMedia>()->side, LegSide::kA);
  EXPECT_EQ(done<ConfigureLegMedia>()->config.signaling_address, moved.address);
}

TEST_F(CallTest, AHoldOfOldSaysNothingOfTheIpVersion) {
  begin_routed();
  on(SipEvent(answered()));
  std::string held(kOffer);
  held.replace(held.find("c=IN IP4 192.0.2.1"), 18, "c=IN IP6 ::");
  on(SipEvent(OfferReceived{kCaller, {1}, held}));
  on(SipEvent(OfferAnswered{callee(), 200, std::string(kAnswer)}));
  ASSERT_NE(sent<AnswerRequest>(), nullptr);
  EXPECT_NE(sent<AnswerRequest>()->sdp.find("IP4 203.0.113.1"), std::string::npos);
}

TEST_F(CallTest, AnOfferDuringAnotherGets491AndARefusedOneItsCode) {
  connect();
  on(SipEvent(OfferReceived{kCaller, {1}, std::string(kHold)}));
  on(SipEvent(OfferReceived{callee(), {2}, std::string(kHeld)}));
  EXPECT_EQ(sent<AnswerRequest>()->status, 491);
  on(SipEvent(OfferAnswered{callee(), 488, {}}));
  EXPECT_EQ(sent<AnswerRequest>()->request, RequestId{1});
  EXPECT_EQ(sent<AnswerRequest>()->status, 488);
  EXPECT_FALSE(call_->is_ended());
}

TEST_F(CallTest, InfoPassesAndItsAnswerComesBack) {
  connect();
  on(SipEvent(InfoReceived{callee(), {4}, "application/dtmf-relay", {}, "Signal=5"}));
  EXPECT_EQ(sent<SendInfo>()->dialog, kCaller);
  on(SipEvent(InfoAnswered{kCaller, {4}, 200}));
  EXPECT_EQ(sent<AnswerRequest>()->dialog, callee());
}

TEST_F(CallTest, SilenceOfBothEndsTheCall) {
  connect();
  on(MediaWentSilent{});
  EXPECT_EQ(count<SendBye>(), 2u);
  expect_end(Disposition::kAnswered, EndedBy::kSystem, "media-timeout");
}

// ---- hold ----

class HeldCall : public CallTest {
 protected:
  static constexpr Duration kTimeout = std::chrono::hours(2);  // the default
  void hold() {
    connect();
    on(SipEvent(OfferReceived{kCaller, {1}, std::string(kHold)}));
    on(SipEvent(OfferAnswered{callee(), 200, std::string(kHeld)}));
  }
  void resume() {
    on(SipEvent(OfferReceived{kCaller, {2}, std::string(kOffer)}));
    on(SipEvent(OfferAnswered{callee(), 200, std::string(kAnswer)}));
  }
};

TEST_F(HeldCall, EndsWhenNeitherPartyGaveASignOfLife) {
  hold();
  const Time held = now_;
  advance(kTimeout - milliseconds(1));
  EXPECT_EQ(done<AskHeard>(), nullptr);
  advance(milliseconds(1));
  ASSERT_NE(done<AskHeard>(), nullptr);
  on(MediaHeard{held});
  EXPECT_EQ(count<SendBye>(), 2u);
  expect_end(Disposition::kAnswered, EndedBy::kSystem, "hold-timeout");
  EXPECT_EQ(call_->record().local_cause, LocalCause::kHoldTimeout);
}

TEST_F(HeldCall, LivesOnByMediaUntilThatIsGoneToo) {
  hold();
  advance(kTimeout);
  const Time heard = now_ - seconds(100);
  on(MediaHeard{heard});
  EXPECT_FALSE(call_->is_ended());
  EXPECT_EQ(call_->next_deadline(), heard + kTimeout);
  advance(kTimeout - seconds(100));
  on(MediaHeard{heard});
  expect_end(Disposition::kAnswered, EndedBy::kSystem, "hold-timeout");
}

TEST_F(HeldCall, LivesOnByRefreshesOffersAndInfo) {
  hold();
  const std::array<SipEvent, 4> signs = {SipEvent(SessionRefreshed{kCaller}),
                                         SipEvent(SessionRefreshed{callee()}),
                                         SipEvent(OfferReceived{callee(), {3}, "nonsense"}),
                                         SipEvent(InfoReceived{callee(), {4}, "text/plain", {}, "x"})};
  for (const SipEvent& sign : signs) {
    advance(kTimeout - seconds(1));
    EXPECT_EQ(done<AskHeard>(), nullptr);
    on(sign);
  }
  advance(kTimeout);
  ASSERT_NE(done<AskHeard>(), nullptr);
  on(SipEvent(SessionRefreshed{kCaller}));  // it crosses the answer
  on(MediaHeard{Time{}});
  EXPECT_FALSE(call_->is_ended());
}

TEST_F(HeldCall, EndsWhenTheMediaPlaneDoesNotAnswer) {
  hold();
  advance(kTimeout);
  advance(kHeardPatience);
  expect_end(Disposition::kAnswered, EndedBy::kSystem, "hold-timeout");
}

TEST_F(HeldCall, ThatIsResumedHasAnEndByMediaOnly) {
  hold();
  advance(kTimeout);
  resume();
  on(MediaHeard{Time{}});
  EXPECT_FALSE(call_->is_ended());
  EXPECT_EQ(call_->next_deadline(), kNever);
  on(MediaWentSilent{});
  expect_end(Disposition::kAnswered, EndedBy::kSystem, "media-timeout");
}

TEST_F(HeldCall, AnAnswerThatHoldsAtOnceCounts) {
  begin_routed();
  std::string inactive(kAnswer);
  on(SipEvent(answered(inactive + "a=inactive\r\n")));
  ASSERT_NE(done<StartMedia>(), nullptr);
  EXPECT_EQ(call_->next_deadline(), now_ + kTimeout);
}

TEST_F(CallTest, ALostDialogHangsUpTheOtherSide) {
  connect();
  on(SipEvent(DialogLost{callee(), "no ACK"}));
  EXPECT_EQ(count<SendBye>(), 1u);
  EXPECT_EQ(sent<SendBye>()->dialog, kCaller);
}

// ---- crossing events ----

TEST_F(CallTest, ACancelThatCrossesTheAnswerHangsUpTheCallee) {
  begin_routed();
  on(SipEvent(InviteCancelled{kCaller}));
  EXPECT_NE(sent<CancelInvite>(), nullptr);
  expect_end(Disposition::kCancelled, EndedBy::kCaller, "cancelled");
  on(SipEvent(answered()));
  EXPECT_EQ(sent<SendBye>()->dialog, callee());
}

TEST_F(CallTest, AnAnswerThatCrossesTheCancelHangsUpTheCallee) {
  connect();
  on(SipEvent(InviteCancelled{kCaller}));  // its 487 left before our 200 reached the stack
  EXPECT_EQ(sent<SendBye>()->dialog, callee());
  EXPECT_EQ(count<SendBye>(), 1u);
  EXPECT_TRUE(call_->is_ended());
}

TEST_F(CallTest, AByeDuringAReInviteAnswersItAndEndsTheOtherSide) {
  connect();
  on(SipEvent(OfferReceived{kCaller, {1}, std::string(kHold)}));
  on(SipEvent(ByeReceived{callee(), ""}));
  EXPECT_EQ(sent<AnswerRequest>()->status, 487);
  EXPECT_EQ(sent<SendBye>()->dialog, kCaller);
  expect_end(Disposition::kAnswered, EndedBy::kCallee, "normal");
  on(SipEvent(OfferAnswered{callee(), 481, {}}));
  EXPECT_EQ(sent<AnswerRequest>(), nullptr);
}

TEST_F(CallTest, AByeFromBothSidesAtOnceEndsOnce) {
  connect();
  on(SipEvent(ByeReceived{kCaller, ""}));
  on(SipEvent(ByeReceived{callee(), ""}));
  EXPECT_TRUE(actions_.empty());
  expect_end(Disposition::kAnswered, EndedBy::kCaller, "normal");
}

TEST_F(CallTest, ADeleteWhileTheAnswerIsOnItsWayHangsUpTheCallee) {
  begin_routed();
  on(Deleted{DeleteReason::kDenied});
  EXPECT_EQ(sent<AnswerInvite>()->status, 603);
  EXPECT_NE(sent<CancelInvite>(), nullptr);
  on(SipEvent(answered()));
  EXPECT_EQ(sent<SendBye>()->dialog, callee());
}

TEST_F(CallTest, ADeleteThatCrossesAPickUpRefusesIt) {
  park();
  on(Deleted{DeleteReason::kBusy});
  EXPECT_EQ(sent<AnswerInvite>()->status, 486);
  on(PickUp{invite(kPickUp, kAnswer)});
  EXPECT_EQ(sent<AnswerInvite>()->status, 403);
  expect_end(Disposition::kBusy, EndedBy::kCallee, "deleted");
}

TEST_F(CallTest, ACancelThatCrossesAPickUpEndsThePickedUpSide) {
  park();
  on(PickUp{invite(kPickUp, kAnswer)});
  on(SipEvent(InviteCancelled{kCaller}));
  EXPECT_EQ(sent<SendBye>()->dialog, kPickUp);
  EXPECT_TRUE(call_->is_ended());
}

TEST_F(CallTest, ACancelWhileTheJournalIsWrittenEndsBeforeAnythingLeaves) {
  call_.emplace(CallSetup{.id = 7, .kind = CallKind::kRouted, .invite = invite(kCaller)});
  on(SipEvent(InviteCancelled{kCaller}));
  EXPECT_TRUE(call_->is_ended());
  CallActions actions;
  call_->start(now_, {}, actions);
  EXPECT_TRUE(actions.empty());
}

TEST_F(CallTest, AnUnsafeMediaAddressEndsTheCall) {
  connect();
  on(MediaRefused{});
  EXPECT_EQ(call_->record().local_cause, LocalCause::kUnsafeMediaAddress);
  EXPECT_EQ(count<SendBye>(), 2u);
}

TEST_F(CallTest, ShutdownEndsWhateverStateTheCallIsIn) {
  begin_routed();
  on(Shutdown{});
  EXPECT_EQ(sent<AnswerInvite>()->status, 503);
  EXPECT_NE(sent<CancelInvite>(), nullptr);
  on(Shutdown{});
  EXPECT_TRUE(actions_.empty());
}

}  // namespace
}  // namespace vas::calls
