#include "signaling/gateway/policy/dialog_gate.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "signaling/gateway/policy/proof_question.h"

namespace vas::signaling {
namespace {

using namespace std::chrono_literals;
using Verdict = DialogGate::Verdict;

constexpr Time kStart{Duration(1h)};

Flow udp(const char* peer) { return {Transport::kUdp, *Endpoint::parse(peer), 0}; }

class DialogGateTest : public testing::Test {
 protected:
  DialogGateTest() { dialogs_.add(dialogs_.key_of("call", "ours"), &phone_, kStart); }

  Verdict judge(const char* method, const Flow& source, const char* tag = "ours", bool is_vouched = false,
                const char* body = "") {
    const std::string text = fmt::format(
        "{0} sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nFrom: <sip:a>;tag=theirs\r\nTo: <sip:b>;tag={1}\r\n"
        "Call-ID: call\r\nCSeq: 1 {0}\r\n\r\n{2}",
        method, tag, body);
    return gate_.judge(*SipMessage::parse(text), source, is_vouched, kStart);
  }
  void hears_from(const char* branch_owner, const Flow& source) {
    const std::string text = fmt::format(
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch={}\r\nFrom: <sip:b>;tag=ours\r\nTo: "
        "<sip:a>;tag=theirs\r\n"
        "Call-ID: call\r\nCSeq: 1 OPTIONS\r\n\r\n",
        branch_owner);
    gate_.learn_party(*SipMessage::parse(text), source, kStart);
  }

  LiveDialogs dialogs_{1024};
  ProvedSources proved_;
  DialogGate gate_{dialogs_, proved_};
  const Flow phone_ = udp("192.0.2.1:5060");
  const Flow elsewhere_ = udp("192.0.2.66:5060");
};

TEST_F(DialogGateTest, WhatIsInNoDialogHereGetsNoFurther) {
  for (const char* tag : {"other", "", "ours2"}) {
    EXPECT_EQ(judge("INVITE", phone_, tag), Verdict::kNoDialog) << tag;
    EXPECT_EQ(judge("BYE", phone_, tag), Verdict::kNoDialog) << tag;
    EXPECT_EQ(judge("ACK", phone_, tag), Verdict::kNoResponse) << tag;
    EXPECT_EQ(judge("BYE", phone_, tag, true), Verdict::kNoDialog) << tag;  // a trunk too
  }
}

TEST_F(DialogGateTest, OurTagFromThePartysAddressProvesIt) {
  EXPECT_FALSE(proved_.knows(phone_.peer));
  EXPECT_EQ(judge("INVITE", phone_), Verdict::kPasses);
  EXPECT_TRUE(proved_.knows(phone_.peer));
  EXPECT_TRUE(proved_.knows(phone_.peer.address));
  EXPECT_FALSE(proved_.knows(*Endpoint::parse("192.0.2.1:5061")));
}

TEST_F(DialogGateTest, OurTagFromElsewhereProvesNothingAndMovesNothing) {
  for (const char* method : {"BYE", "INFO", "OPTIONS", "PRACK", "ACK"})
    EXPECT_EQ(judge(method, elsewhere_), Verdict::kPasses) << method;
  EXPECT_EQ(judge("INVITE", elsewhere_), Verdict::kMustProve);
  EXPECT_EQ(judge("UPDATE", elsewhere_), Verdict::kMustProve);
  EXPECT_EQ(judge("ACK", elsewhere_, "ours", false, "v=0"), Verdict::kMustProve);
  EXPECT_FALSE(proved_.knows(elsewhere_.peer));
}

TEST_F(DialogGateTest, WhoHasProvedItselfMovesTheDialogThere) {
  proved_.remember(elsewhere_.peer, kStart);
  EXPECT_EQ(judge("INVITE", elsewhere_), Verdict::kPasses);
  EXPECT_EQ(judge("INVITE", elsewhere_), Verdict::kPasses);
  EXPECT_EQ(judge("UPDATE", phone_), Verdict::kMustProve);
}

TEST_F(DialogGateTest, TrunksNodesAndConnectionsAreVouchedFor) {
  EXPECT_EQ(judge("INVITE", elsewhere_, "ours", true), Verdict::kPasses);
}

TEST_F(DialogGateTest, ADialogHasABudgetWhoeverSends) {
  int passed = 0;
  while (judge("INFO", elsewhere_) == Verdict::kPasses) ++passed;
  EXPECT_EQ(passed, 40);
  EXPECT_EQ(judge("INFO", phone_), Verdict::kOverBudget);
}

TEST_F(DialogGateTest, AResponseTellsWhereTheFarSideOfOurDialogIs) {
  LiveDialogs dialogs{1024};
  DialogGate gate{dialogs, proved_};
  const auto key = dialogs.key_of("call", "ours");
  dialogs.add(key, nullptr, kStart);
  const auto response = SipMessage::parse(
      "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\nFrom: <sip:b>;tag=ours\r\nTo: <sip:a>;tag=x\r\nCall-ID: "
      "call\r\n\r\n");
  gate.learn_party(*response, elsewhere_, kStart);
  EXPECT_EQ(dialogs.party(key, elsewhere_, kStart), LiveDialogs::Party::kProved);
  gate.learn_party(*response, phone_, kStart);  // where a Contact pointed: no new party
  EXPECT_EQ(dialogs.party(key, elsewhere_, kStart), LiveDialogs::Party::kProved);
}

class ProofQuestionTest : public testing::Test {
 protected:
  std::string answer_to(const std::string& question) {
    const auto request = SipMessage::parse(question);
    return "SIP/2.0 481 No\r\nVia: " + std::string(value_of(*request, HeaderName::kVia)) + "\r\n\r\n";
  }
  bool answers(const std::string& text, const Flow& source, Time now = kStart) {
    return responds_to_proof_question(*SipMessage::parse(text), source, signer_, now);
  }

  FlowSigner signer_;
  const Flow phone_ = udp("192.0.2.1:5060");
  const std::string question_ = proof_question(phone_, *Endpoint::parse("192.0.2.9:5060"), signer_, kStart);
};

TEST_F(ProofQuestionTest, IsARequestThatEveryPhoneUnderstands) {
  const auto request = SipMessage::parse(question_);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->method(), "OPTIONS");
  EXPECT_EQ(request->request_uri(), "sip:192.0.2.1:5060");
  EXPECT_FALSE(has_to_tag(*request));
  EXPECT_TRUE(from_tag(*request));
}

TEST_F(ProofQuestionTest, AnyAnswerFromThereProvesAndNoneFromElsewhereOrLater) {
  const std::string response = answer_to(question_);
  EXPECT_TRUE(answers(response, phone_));
  EXPECT_TRUE(answers(response, phone_, kStart + 20s));
  EXPECT_FALSE(answers(response, phone_, kStart + 2 * kProofQuestionSameFor + 1s));
  EXPECT_FALSE(answers(response, udp("192.0.2.1:5061")));
  EXPECT_FALSE(answers(response, udp("192.0.2.66:5060")));
  EXPECT_FALSE(answers(response, {Transport::kTcp, phone_.peer, 1}));
  FlowSigner other;
  EXPECT_FALSE(responds_to_proof_question(*SipMessage::parse(response), phone_, other, kStart));
}

TEST_F(ProofQuestionTest, AskedAgainItIsARetransmission) {
  EXPECT_EQ(question_, proof_question(phone_, *Endpoint::parse("192.0.2.9:5060"), signer_, kStart + 1s));
}

}  // namespace
}  // namespace vas::signaling
