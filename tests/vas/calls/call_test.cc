#include "vas/calls/call.h"

#include <gtest/gtest.h>

namespace vas::calls {
namespace {

using namespace signaling;
using records::Disposition;
using records::EndedBy;
using records::LocalCause;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view kOffer =
    "v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 "
    "telephone-event/8000\r\n";
constexpr std::string_view kAnswer =
    "v=0\r\no=b 1 1 IN IP4 192.0.2.2\r\nc=IN IP4 192.0.2.2\r\nm=audio 5000 RTP/AVP 8 101\r\na=rtpmap:101 "
    "telephone-event/8000\r\n";
constexpr std::string_view kOpusOnly =
    "v=0\r\no=b 1 1 IN IP4 192.0.2.2\r\nc=IN IP4 192.0.2.2\r\nm=audio 5000 RTP/AVP 96\r\na=rtpmap:96 "
    "opus/48000/2\r\n";
constexpr std::string_view kHold =
    "v=0\r\no=a 1 2 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 "
    "telephone-event/8000\r\na=sendonly\r\n";
constexpr std::string_view kHeld =
    "v=0\r\no=b 1 2 IN IP4 192.0.2.2\r\nc=IN IP4 192.0.2.2\r\nm=audio 5000 RTP/AVP 8\r\na=recvonly\r\n";

constexpr DialogId kCaller{1};
constexpr DialogId kPickUp{2};

// A call in virtual time. OpenLeg is answered at once, as the media plane does where nothing is to be
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
        const Endpoint local =
            *Endpoint::parse(open->side == LegSide::kA ? "203.0.113.1:20000" : "203.0.113.1:20002");
        call_->on(LegOpened{open->side, has_ports_ ? std::optional(local) : std::nullopt}, now_, {}, actions);
      } else {
        actions_.push_back(actions[i]);
      }
    }
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
  std::uint64_t attempts_ = 1;
  std::optional<Call> call_;
  CallActions actions_;
};

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

TEST_F(CallTest, ARedirectIsNeverFollowedNorPassed) {
  begin_routed(1);
  on(SipEvent(InviteFailed{callee(), 302, ""}));
  EXPECT_EQ(sent<SendInvite>(), nullptr);
  EXPECT_EQ(sent<AnswerInvite>()->status, 480);
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
  advance(seconds(20));
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
  on(SipEvent(InfoReceived{callee(), {4}, "application/dtmf-relay", "Signal=5"}));
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

// ---- encrypted media ----

constexpr std::string_view kFingerprint =
    "sha-256 F9:90:B5:1B:0F:AB:2F:F7:05:41:DC:0D:F3:D7:D8:80:0D:C6:B5:2F:61:A6:92:20:2F:51:41:46:51:9D:E0:47";

std::string browser_offer(std::string_view ufrag = "abcd") {
  return "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
         "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=mid:0\r\n"
         "a=setup:actpass\r\na=fingerprint:" +
         std::string(kFingerprint) +
         "\r\na=ice-pwd:0123456789abcdefghijkl\r\na=ice-ufrag:" + std::string(ufrag) +
         "\r\na=candidate:1 1 udp 1 192.0.2.7 50000 typ host\r\n";
}

constexpr std::string_view kPlainAnswer =
    "v=0\r\no=b 1 1 IN IP4 192.0.2.2\r\nc=IN IP4 192.0.2.2\r\nm=audio 5000 RTP/AVP 0\r\n";

class SecureCallTest : public CallTest {
 protected:
  void begin_from_browser(MediaEncryption wanted) {
    CallSetup setup{.id = 7,
                    .kind = CallKind::kRouted,
                    .invite = invite(kCaller, browser_offer()),
                    .caller_id = "1555",
                    .from_host = "d.example",
                    .caller_encryption = wanted,
                    .fingerprint = media::CertificateFingerprint::parse(kFingerprint)};
    setup.plan.routes.push_back({.server = *HostPort::parse("198.51.100.1:5060"), .number = "990"});
    begin(std::move(setup));
  }
  const bridge::LegConfig* configured(LegSide side) const {
    for (const CallAction& action : actions_) {
      const auto* found = std::get_if<ConfigureLegMedia>(&action);
      if (found != nullptr && found->side == side) return &found->config;
    }
    return nullptr;
  }
  static std::string value(const std::string& sdp, std::string_view name) {
    const auto from = sdp.find(name) + name.size();
    return sdp.substr(from, sdp.find('\r', from) - from);
  }
};

TEST_F(SecureCallTest, ABrowserIsAnsweredAsALitePassiveSideAndThePhoneIsAskedForPlainRtp) {
  begin_from_browser(MediaEncryption::kOptional);
  ASSERT_NE(sent<SendInvite>(), nullptr);
  EXPECT_NE(sent<SendInvite>()->sdp.find("RTP/AVP 0"), std::string::npos);
  EXPECT_EQ(sent<SendInvite>()->sdp.find("ice-ufrag"), std::string::npos);
  on(SipEvent(
      answered("v=0\r\no=b 1 1 IN IP4 192.0.2.2\r\nc=IN IP4 192.0.2.2\r\nm=audio 5000 RTP/AVP 0\r\n")));
  ASSERT_NE(sent<AnswerInvite>(), nullptr);
  const std::string& sdp = sent<AnswerInvite>()->sdp;
  for (const char* line :
       {"UDP/TLS/RTP/SAVPF 0", "a=ice-lite", "a=setup:passive", "a=rtcp-mux", "a=group:BUNDLE 0"})
    EXPECT_NE(sdp.find(line), std::string::npos) << line;
  const bridge::LegConfig* config = configured(LegSide::kA);
  ASSERT_TRUE(config != nullptr && config->ice && config->dtls);
  EXPECT_EQ(config->ice->remote.ufrag, "abcd");
  EXPECT_EQ(config->ice->local.ufrag, value(sdp, "a=ice-ufrag:"));
  EXPECT_EQ(config->ice->local.password, value(sdp, "a=ice-pwd:"));
  EXPECT_EQ(config->dtls->role, media::DtlsRole::kServer);
  EXPECT_FALSE(config->far_rtp.is_set()) << "media goes to what ICE proves, not to what SDP says";
  EXPECT_TRUE(config->rtcp_mux);
  EXPECT_FALSE(configured(LegSide::kB)->dtls);
}

TEST_F(SecureCallTest, AReInviteKeepsCredentialsUnlessThePartyChangesItsOwn) {
  begin_from_browser(MediaEncryption::kRequired);
  on(SipEvent(answered(kPlainAnswer)));
  const bridge::LegIce before = *configured(LegSide::kA)->ice;
  for (const bool restarts : {false, true}) {
    on(SipEvent(OfferReceived{kCaller, {5}, browser_offer(restarts ? "efgh" : "abcd")}));
    ASSERT_NE(sent<SendOffer>(), nullptr);
    on(SipEvent(OfferAnswered{callee(), 200, std::string(kPlainAnswer)}));
    ASSERT_NE(configured(LegSide::kA), nullptr);
    const bridge::LegIce& now = *configured(LegSide::kA)->ice;
    EXPECT_EQ(now.local == before.local, !restarts) << "a restart has new ones on both sides (RFC 8445 §9)";
    EXPECT_EQ(now.remote.ufrag, restarts ? "efgh" : "abcd");
  }
}

TEST_F(SecureCallTest, CandidatesThatComeLaterAreTakenNoteOfHere) {
  begin_from_browser(MediaEncryption::kOptional);
  on(SipEvent(answered(kPlainAnswer)));
  on(SipEvent(InfoReceived{kCaller, {5}, "application/trickle-ice-sdpfrag", "a=end-of-candidates\r\n"}));
  EXPECT_EQ(sent<SendInfo>(), nullptr) << "the phone has no use for them";
  ASSERT_NE(sent<AnswerRequest>(), nullptr);
  EXPECT_EQ(sent<AnswerRequest>()->status, 200);
}

TEST_F(SecureCallTest, WhereMediaMustBePlainABrowserGets488) {
  begin_from_browser(MediaEncryption::kNone);
  ASSERT_NE(sent<AnswerInvite>(), nullptr);
  EXPECT_EQ(sent<AnswerInvite>()->status, 488);
}

class FullIceTest : public SecureCallTest {
 protected:
  static std::string offer_with(std::string_view session_line) {
    std::string offer = browser_offer();
    return offer.insert(offer.find("m=audio"), session_line);
  }
  void begin_full(const std::string& offer, CallKind kind = CallKind::kRouted) {
    CallSetup setup{.id = 7,
                    .kind = kind,
                    .invite = invite(kCaller, offer),
                    .caller_encryption = MediaEncryption::kOptional,
                    .pick_up_encryption = MediaEncryption::kOptional,
                    .caller_ice = IceMode::kFull,
                    .fingerprint = media::CertificateFingerprint::parse(kFingerprint)};
    setup.ice.by_transport.fill(IceMode::kFull);
    setup.plan.routes.push_back({.server = *HostPort::parse("198.51.100.1:5060"), .number = "990"});
    begin(std::move(setup));
  }
  void begin_to_trunk(IceMode ice, MediaKeying keying = MediaKeying::kDtls) {
    CallSetup setup{.id = 7,
                    .kind = CallKind::kRouted,
                    .invite = invite(kCaller),
                    .fingerprint = media::CertificateFingerprint::parse(kFingerprint)};
    setup.plan.routes.push_back({.server = *HostPort::parse("198.51.100.1:5060"),
                                 .number = "990",
                                 .media_encryption = MediaEncryption::kRequired,
                                 .media_keying = keying,
                                 .ice = ice});
    begin(std::move(setup));
  }
  std::optional<bridge::LegIce> gathering() const {
    for (const CallAction& action : actions_) {
      if (const auto* open = std::get_if<OpenLeg>(&action)) return open->full_ice;
    }
    return {};
  }
  static LegOpened gathered(LegSide side) {
    return {side,
            Endpoint::parse("203.0.113.9:20000"),
            {4711},
            {{.address = *Endpoint::parse("10.0.0.2:20000")},
             {.address = *Endpoint::parse("203.0.113.9:20000"),
              .type = ice::CandidateType::kServerReflexive,
              .foundation = "2",
              .priority = 7,
              .related = *Endpoint::parse("10.0.0.2:20000")}}};
  }
};

TEST_F(FullIceTest, ACallerWaitsForOurCandidatesAndIsToldThem) {
  begin_full(browser_offer());
  const auto mine = gathering();
  ASSERT_TRUE(mine && mine->is_full);
  EXPECT_EQ(mine->role, ice::IceRole::kControlled) << "the offerer controls (RFC 8445 §6.1.1)";
  EXPECT_EQ(sent<SendInvite>(), nullptr) << "nothing goes on before";
  on(gathered(LegSide::kA));
  ASSERT_NE(sent<SendInvite>(), nullptr);
  on(SipEvent(answered(kPlainAnswer)));
  ASSERT_NE(sent<AnswerInvite>(), nullptr);
  const std::string& sdp = sent<AnswerInvite>()->sdp;
  EXPECT_EQ(sdp.find("a=ice-lite"), std::string::npos);
  for (const char* line : {"m=audio 20000 UDP/TLS/RTP/SAVPF", "c=IN IP4 203.0.113.9",
                           "a=candidate:1 1 udp 2130706431 10.0.0.2 20000 typ host\r\n",
                           "a=candidate:2 1 udp 7 203.0.113.9 20000 typ srflx raddr 10.0.0.2 rport 20000\r\n",
                           "a=ssrc:4711 cname:vas\r\n"})
    EXPECT_NE(sdp.find(line), std::string::npos) << line << " of " << sdp;
  const bridge::LegConfig* config = configured(LegSide::kA);
  ASSERT_TRUE(config != nullptr && config->ice && config->ice->is_full);
  EXPECT_EQ(config->ice->local, mine->local);
  ASSERT_EQ(config->ice->peers.size(), 1u);
  EXPECT_EQ(config->ice->peers[0].address, *Endpoint::parse("192.0.2.7:50000"));
}

TEST_F(FullIceTest, ALitePeerIsControlledByUs) {
  begin_full(offer_with("a=ice-lite\r\n"));
  ASSERT_TRUE(gathering());
  EXPECT_EQ(gathering()->role, ice::IceRole::kControlling);
}

TEST_F(FullIceTest, WhereIceIsSwitchedOffItIsPassedOver) {
  CallSetup setup{.id = 7,
                  .kind = CallKind::kRouted,
                  .invite = invite(kCaller, browser_offer()),
                  .caller_encryption = MediaEncryption::kOptional,
                  .fingerprint = media::CertificateFingerprint::parse(kFingerprint)};
  setup.ice.by_transport[static_cast<std::size_t>(Transport::kUdp)] = IceMode::kNone;
  setup.plan.routes.push_back({.server = *HostPort::parse("198.51.100.1:5060"), .number = "990"});
  begin(std::move(setup));
  on(SipEvent(answered(kPlainAnswer)));
  ASSERT_NE(sent<AnswerInvite>(), nullptr);
  EXPECT_EQ(sent<AnswerInvite>()->sdp.find("ice"), std::string::npos);
  ASSERT_NE(configured(LegSide::kA), nullptr);
  EXPECT_FALSE(configured(LegSide::kA)->ice);
}

TEST_F(FullIceTest, WithoutIceInTheOfferNothingIsGathered) {
  begin_full(std::string(kOffer));
  EXPECT_FALSE(gathering());
  EXPECT_NE(sent<SendInvite>(), nullptr);
}

TEST_F(FullIceTest, WhoHangsUpWhileWeGatherIsForgotten) {
  begin_full(browser_offer());
  on(SipEvent(InviteCancelled{kCaller}));
  on(gathered(LegSide::kA));
  EXPECT_TRUE(actions_.empty());
}

TEST_F(FullIceTest, APickUpThatIsGivenUpWhileWeGatherLeavesTheCallerWaiting) {
  begin_full(std::string(kOffer), CallKind::kParked);
  on(BackendAnswered{});
  on(PickUp{invite(kPickUp, browser_offer())});
  ASSERT_TRUE(gathering());
  on(SipEvent(InviteCancelled{kPickUp}));
  on(gathered(LegSide::kB));
  EXPECT_TRUE(actions_.empty());
  EXPECT_TRUE(call_->is_waiting_for_pick_up());
}

TEST_F(FullIceTest, NoAddressAtAllEndsTheCall) {
  begin_full(browser_offer());
  on(LegOpened{LegSide::kA, std::nullopt});
  ASSERT_NE(sent<AnswerInvite>(), nullptr);
  EXPECT_EQ(sent<AnswerInvite>()->status, 503);
}

TEST_F(FullIceTest, ATrunkIsOfferedDtlsAndOurCandidates) {
  begin_to_trunk(IceMode::kFull);
  const auto mine = gathering();
  ASSERT_TRUE(mine);
  EXPECT_EQ(mine->role, ice::IceRole::kControlling);
  on(gathered(LegSide::kB));
  ASSERT_NE(sent<SendInvite>(), nullptr);
  const std::string& sdp = sent<SendInvite>()->sdp;
  for (const char* line : {"m=audio 20000 UDP/TLS/RTP/SAVP 0", "a=setup:actpass",
                           "a=fingerprint:sha-256 F9:90", "typ srflx", "a=rtcp-mux"})
    EXPECT_NE(sdp.find(line), std::string::npos) << line << " of " << sdp;
  EXPECT_EQ(sdp.find("a=crypto"), std::string::npos);

  std::string answer = browser_offer();
  answer.replace(answer.find("actpass"), 7, "active");
  on(SipEvent(answered(answer)));
  const bridge::LegConfig* config = configured(LegSide::kB);
  ASSERT_TRUE(config != nullptr && config->ice && config->dtls);
  EXPECT_EQ(config->dtls->role, media::DtlsRole::kServer);
  EXPECT_EQ(config->ice->local, mine->local);
  EXPECT_EQ(config->ice->remote.ufrag, "abcd");
}

TEST_F(FullIceTest, ALiteOfferIsOneOfItsOwnAddress) {
  begin_to_trunk(IceMode::kLite);
  ASSERT_NE(sent<SendInvite>(), nullptr);
  const std::string& sdp = sent<SendInvite>()->sdp;
  EXPECT_NE(sdp.find("a=ice-lite"), std::string::npos);
  EXPECT_NE(sdp.find("203.0.113.1 20002 typ host"), std::string::npos) << sdp;
}

TEST_F(FullIceTest, ATrunkThatAnswersWithoutIceIsReachedAtItsAddress) {
  begin_to_trunk(IceMode::kFull);
  on(gathered(LegSide::kB));
  std::string answer = browser_offer();
  answer.replace(answer.find("actpass"), 7, "active");
  answer.erase(answer.find("a=ice-pwd"), answer.find("a=ice-ufrag") - answer.find("a=ice-pwd"));
  answer.replace(answer.find("0.0.0.0"), 7, "192.0.2.2");
  on(SipEvent(answered(answer)));
  const bridge::LegConfig* config = configured(LegSide::kB);
  ASSERT_NE(config, nullptr);
  EXPECT_FALSE(config->ice);
  EXPECT_EQ(config->far_rtp, *Endpoint::parse("192.0.2.2:9"));
}

TEST_F(FullIceTest, ATrunkThatMustBeEncryptedAndAnswersPlainIsNotTalkedTo) {
  begin_to_trunk(IceMode::kNone);
  on(SipEvent(answered(kPlainAnswer)));
  ASSERT_NE(sent<AnswerInvite>(), nullptr);
  EXPECT_EQ(sent<AnswerInvite>()->status, 488);
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
