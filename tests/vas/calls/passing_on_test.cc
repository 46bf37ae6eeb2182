// What one party says goes on to the other: why it hung up, cancelled or refused.
#include "tests/vas/calls/call_fixture.h"

namespace vas::calls {
namespace {

const std::string kReason = "SIP;cause=486, Q.850;cause=17;text=\"User busy\"";

class PassingOnTest : public CallTest {
 protected:
  std::string header(const std::vector<Header>& headers, std::string_view name) const {
    for (const Header& each : headers)
      if (each.name == name) return each.value;
    return "";
  }
};

TEST_F(PassingOnTest, TheReasonOfAByeGoesOn) {
  connect();
  on(SipEvent(ByeReceived{callee(), kReason}));
  ASSERT_NE(sent<SendBye>(), nullptr);
  EXPECT_EQ(sent<SendBye>()->reason, kReason);
}

TEST_F(PassingOnTest, TheReasonOfACancelGoesOn) {
  begin_routed();
  on(SipEvent(ProgressReceived{callee(), 180, {}}));
  on(SipEvent(InviteCancelled{kCaller, kReason}));
  ASSERT_NE(sent<CancelInvite>(), nullptr);
  EXPECT_EQ(sent<CancelInvite>()->reason, kReason);
}

TEST_F(PassingOnTest, TheReasonOfACancelThatCrossedTheAnswerGoesOnWithTheBye) {
  connect();
  on(SipEvent(InviteCancelled{kCaller, kReason}));
  ASSERT_NE(sent<SendBye>(), nullptr);
  EXPECT_EQ(sent<SendBye>()->reason, kReason);
}

TEST_F(PassingOnTest, OurOwnReasonStandsInACancelToo) {
  begin_routed();
  on(SipEvent(ProgressReceived{callee(), 180, {}}));
  on(Shutdown{});
  ASSERT_NE(sent<CancelInvite>(), nullptr);
  EXPECT_EQ(sent<CancelInvite>()->reason, "SIP;cause=503;text=\"Shutdown\"");
  ASSERT_NE(sent<RespondToInvite>(), nullptr);
  EXPECT_EQ(header(sent<RespondToInvite>()->headers, "Reason"), "") << "a status code says it";
}

TEST_F(PassingOnTest, TheReasonOfARefusalGoesOnWithItsRetryAfter) {
  begin_routed();
  on(SipEvent(InviteFailed{callee(), 480, kReason, 30}));
  ASSERT_NE(sent<RespondToInvite>(), nullptr);
  EXPECT_EQ(sent<RespondToInvite>()->status, 480);
  EXPECT_EQ(header(sent<RespondToInvite>()->headers, "Reason"), kReason);
  EXPECT_EQ(header(sent<RespondToInvite>()->headers, "Retry-After"), "30");
}

TEST_F(PassingOnTest, ARouteThatIsPassedOverSaysNothing) {
  begin_routed(2);
  on(SipEvent(InviteFailed{callee(), 503, kReason, 30}));
  ++attempts_;
  on(SipEvent(InviteFailed{callee(), 486}));
  ASSERT_NE(sent<RespondToInvite>(), nullptr);
  EXPECT_EQ(header(sent<RespondToInvite>()->headers, "Reason"), "");
  EXPECT_EQ(header(sent<RespondToInvite>()->headers, "Retry-After"), "");
}

TEST_F(PassingOnTest, The503OfOneServerIsNotItsCallersAndNeitherIsItsRetryAfter) {
  begin_routed();
  on(SipEvent(InviteFailed{callee(), 503, kReason, 30}));
  ASSERT_NE(sent<RespondToInvite>(), nullptr);
  EXPECT_EQ(sent<RespondToInvite>()->status, 500);
  EXPECT_EQ(header(sent<RespondToInvite>()->headers, "Reason"), kReason);
  EXPECT_EQ(header(sent<RespondToInvite>()->headers, "Retry-After"), "");
}

InfoReceived info(DialogId dialog, RequestId request) {
  return {.dialog = dialog,
          .request = request,
          .content_type = "multipart/mixed;boundary=b1",
          .headers = {{"Info-Package", "foo"}, {"Content-Disposition", "Info-Package"}},
          .body = "--b1--"};
}

TEST_F(PassingOnTest, AnInfoGoesOnWhole) {
  connect();
  on(SipEvent(info(kCaller, {3})));
  ASSERT_NE(sent<SendInfo>(), nullptr);
  EXPECT_EQ(sent<SendInfo>()->dialog, callee());
  EXPECT_EQ(sent<SendInfo>()->content_type, "multipart/mixed;boundary=b1");
  EXPECT_EQ(header(sent<SendInfo>()->headers, "Info-Package"), "foo");
  EXPECT_EQ(header(sent<SendInfo>()->headers, "Content-Disposition"), "Info-Package");
  EXPECT_EQ(sent<SendInfo>()->body, "--b1--");
  on(SipEvent(InfoResponded{callee(), {3}, 415, {{"Accept", "application/dtmf-relay"}}}));
  ASSERT_NE(sent<RespondToRequest>(), nullptr);
  EXPECT_EQ(sent<RespondToRequest>()->status, 415);
  EXPECT_EQ(header(sent<RespondToRequest>()->headers, "Accept"), "application/dtmf-relay");
}

TEST_F(PassingOnTest, AnInfoGoesOnInAnEarlyDialog) {
  begin_routed();
  on(SipEvent(ProgressReceived{callee(), 183, std::string(kAnswer)}));
  on(SipEvent(info(kCaller, {3})));
  ASSERT_NE(sent<SendInfo>(), nullptr);
  EXPECT_EQ(sent<SendInfo>()->dialog, callee());
  on(SipEvent(InfoResponded{callee(), {3}, 200}));
  ASSERT_NE(sent<RespondToRequest>(), nullptr);
  EXPECT_EQ(sent<RespondToRequest>()->status, 200);
  on(SipEvent(info(callee(), {4})));
  ASSERT_NE(sent<SendInfo>(), nullptr);
  EXPECT_EQ(sent<SendInfo>()->dialog, kCaller);
}

TEST_F(PassingOnTest, AnInfoThatNobodyCanHearIsRefusedSoftly) {
  park();
  on(SipEvent(info(kCaller, {3})));
  ASSERT_NE(sent<RespondToRequest>(), nullptr);
  EXPECT_EQ(sent<RespondToRequest>()->status, 500);
  EXPECT_NE(header(sent<RespondToRequest>()->headers, "Retry-After"), "");
  on(SipEvent(InviteCancelled{kCaller}));
  on(SipEvent(info(kCaller, {4})));
  EXPECT_EQ(sent<RespondToRequest>()->status, 481) << "the call is over";
}

// What ends the other party's dialog, and what asks for its password, is not its sender's (RFC 5057
// section 5.1).
TEST_F(PassingOnTest, AnAnswerToAnInfoThatConcernsTheOtherDialogIsNotPassed) {
  connect();
  std::uint64_t number = 3;
  const auto told = [&](int status) {
    const RequestId request{++number};
    on(SipEvent(info(kCaller, request)));
    on(SipEvent(InfoResponded{callee(), request, status}));
    return sent<RespondToRequest>()->status;
  };
  for (const int status : {0, 404, 408, 410, 416, 430, 480, 481, 482, 483, 484, 485, 502, 604})
    EXPECT_EQ(told(status), 500);
  for (const int status : {401, 407}) EXPECT_EQ(told(status), 403);
  for (const int status : {200, 202, 400, 403, 405, 415, 469, 488, 500, 501, 503, 603})
    EXPECT_EQ(told(status), status);
}

TEST_F(PassingOnTest, AnInfoOfARouteThatIsGivenUpIsRefusedSoftlyAndLeavesItsPlace) {
  begin_routed(2);
  on(SipEvent(ProgressReceived{callee(), 183, {}}));
  for (std::uint64_t i = 0; i < 16; ++i) on(SipEvent(info(kCaller, {i + 3})));
  on(SipEvent(info(kCaller, {40})));
  EXPECT_EQ(sent<SendInfo>(), nullptr) << "16 wait";
  on(SipEvent(InviteFailed{callee(), 503, "", {}}));
  EXPECT_EQ(count<RespondToRequest>(), 16u);
  ASSERT_NE(sent<RespondToRequest>(), nullptr);
  EXPECT_EQ(sent<RespondToRequest>()->dialog, kCaller);
  EXPECT_EQ(sent<RespondToRequest>()->status, 500);

  attempts_ = 2;
  on(SipEvent(info(kCaller, {41})));
  ASSERT_NE(sent<SendInfo>(), nullptr);
  EXPECT_EQ(sent<SendInfo>()->dialog, callee());
}

TEST_F(PassingOnTest, ACallerThatNeverHadOur200HasNoAnsweredCall) {
  connect();
  on(SipEvent(DialogLost{kCaller, "no PRACK", false}));
  EXPECT_EQ(sent<SendBye>()->dialog, callee());
  expect_end(Disposition::kFailed, EndedBy::kSystem, "no PRACK");
  EXPECT_EQ(call_->record().local_cause, LocalCause::kDialogLost);
  EXPECT_FALSE(call_->record().answer);
  EXPECT_FALSE(call_->record().answered_at);
}

TEST_F(PassingOnTest, ACancelThatCrossedOur200LeavesNoAnsweredCallEither) {
  connect();
  on(SipEvent(InviteCancelled{kCaller}));
  expect_end(Disposition::kCancelled, EndedBy::kCaller, "cancelled");
  EXPECT_FALSE(call_->record().answered_at);
}

TEST_F(PassingOnTest, ACallerThatSendsNoPrackEndsTheCallThatRings) {
  begin_routed();
  on(SipEvent(ProgressReceived{callee(), 183, std::string(kAnswer)}));
  on(SipEvent(DialogLost{kCaller, "no PRACK", false}));
  ASSERT_NE(sent<CancelInvite>(), nullptr);
  EXPECT_EQ(sent<RespondToInvite>(), nullptr) << "the stack has refused it";
  expect_end(Disposition::kFailed, EndedBy::kSystem, "no PRACK");
}

TEST_F(PassingOnTest, AnOfferThatCannotBeReadIsRefusedAsThat) {
  begin_routed(1, "v=0\r\no=a 1");
  ASSERT_NE(sent<RespondToInvite>(), nullptr);
  EXPECT_EQ(sent<RespondToInvite>()->status, 488);
  EXPECT_EQ(header(sent<RespondToInvite>()->headers, "Warning"),
            "307 vas \"The session description cannot be read\"");
  EXPECT_EQ(call_->record().local_cause, LocalCause::kUnreadableMedia);
  EXPECT_EQ(call_->record().termination_reason, "unreadable-media");
}

TEST_F(PassingOnTest, AnOfferWithoutACodecOfOursIsAnotherMatter) {
  begin_routed(1, "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 18\r\n");
  ASSERT_NE(sent<RespondToInvite>(), nullptr);
  EXPECT_TRUE(header(sent<RespondToInvite>()->headers, "Warning").starts_with("305 "));
  EXPECT_EQ(call_->record().local_cause, LocalCause::kNoCommonCodec);
}

TEST_F(PassingOnTest, AMediaAddressThatIsOursIsRefusedAsThat) {
  begin_routed();
  on(MediaRefused{});
  ASSERT_NE(sent<RespondToInvite>(), nullptr);
  EXPECT_EQ(header(sent<RespondToInvite>()->headers, "Warning"),
            "399 vas \"Media is not sent to a media port of this server\"");
}

TEST_F(PassingOnTest, AnAnswerThatCannotBeReadEndsBothSidesAndSaysWhy) {
  begin_routed();
  on(SipEvent(answered("m=")));
  ASSERT_NE(sent<SendBye>(), nullptr);
  EXPECT_EQ(sent<SendBye>()->reason, "SIP;cause=488;text=\"No readable answer\"");
  EXPECT_EQ(sent<RespondToInvite>()->status, 488);
  EXPECT_EQ(call_->record().local_cause, LocalCause::kUnreadableMedia);
}

TEST_F(PassingOnTest, AReOfferThatCannotBeReadIsRefusedAsThatAndTheCallGoesOn) {
  connect();
  on(SipEvent(OfferReceived{kCaller, {1}, "m="}));
  ASSERT_NE(sent<RespondToRequest>(), nullptr);
  EXPECT_EQ(sent<RespondToRequest>()->status, 488);
  EXPECT_TRUE(header(sent<RespondToRequest>()->headers, "Warning").starts_with("307 "));
  EXPECT_FALSE(call_->is_ended());
}

TEST_F(PassingOnTest, ABodyOfAnotherKindIsRefusedWithWhatIsRead) {
  CallSetup setup{.id = 7, .kind = CallKind::kParked, .invite = invite(kCaller, std::nullopt)};
  setup.invite.has_unknown_body = true;
  begin(std::move(setup));
  ASSERT_NE(sent<RespondToInvite>(), nullptr);
  EXPECT_EQ(sent<RespondToInvite>()->status, 415);
  EXPECT_EQ(header(sent<RespondToInvite>()->headers, "Accept"), "application/sdp");
}

TEST_F(PassingOnTest, WhatATrustedNetworkSaysOfTheCallerGoesOnByTheRuleOfTheTrunk) {
  using directory::IdentityRule;
  for (const IdentityRule rule : {IdentityRule::kNone, IdentityRule::kPublic, IdentityRule::kTrusted}) {
    CallSetup setup{.id = 7, .kind = CallKind::kRouted, .invite = invite(kCaller), .caller_id = "anonymous"};
    setup.caller_identity = {"<sip:+1555@c.example>", "id"};
    setup.plan.routes.push_back(
        {.server = *HostPort::parse("198.51.100.1:5060"), .number = "99", .identity = rule});
    actions_.clear();
    begin(std::move(setup));
    ASSERT_NE(sent<SendInvite>(), nullptr);
    const bool is_told = rule == IdentityRule::kTrusted;
    EXPECT_EQ(header(sent<SendInvite>()->headers, "P-Asserted-Identity"),
              is_told ? "<sip:+1555@c.example>" : "");
    EXPECT_EQ(header(sent<SendInvite>()->headers, "Privacy"), is_told ? "id" : "");
  }
}

}  // namespace
}  // namespace vas::calls
