// What the stack asks of a server that is scripted by hand: challenges, forks, reliable answers.
#include <set>

#include "tests/support/sip_lab.h"

namespace vas::signaling {
namespace {

constexpr DialogId kCall{1};
constexpr std::string_view kSdp =
    "v=0\r\no=x 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";

std::string proxy_asks(const std::string& nonce, const std::string& more = {}) {
  return "Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"" + nonce + "\", qop=\"auth\"" + more +
         "\r\n";
}
std::string nonce_of(const SipText& request) {
  return parameter_of(request.header("Proxy-Authorization"), "nonce");
}
std::string reliable(int number) { return "Require: 100rel\r\nRSeq: " + std::to_string(number) + "\r\n"; }
std::uint32_t sequence_of(const SipText& request) {
  return static_cast<std::uint32_t>(std::stoul(request.header("CSeq")));
}

class DialogUacTest : public testing::Test {
 protected:
  static constexpr const char* kChallenge = "407 Proxy Authentication Required";

  SipText dial(int max_forwards = 70) {
    SendInvite invite{.dialog = kCall,
                      .request_uri = "sip:999@" + lab_.server(),
                      .from = "<sip:us@127.0.0.1>",
                      .to = "<sip:999@" + lab_.server() + ">",
                      .sdp = std::string(kSdp),
                      .headers = {},
                      .credentials = {"us", "secret", {}}};
    invite.max_forwards = max_forwards;
    lab_.send(invite);
    return lab_.receive("INVITE");
  }
  // Answers `request` 407 with a new nonce: it comes again with it.
  // Of a final response to INVITE the ACK is taken.
  SipText challenge(const SipText& request, const std::string& nonce) {
    lab_.answer(request, kChallenge, proxy_asks(nonce));
    if (request.method() == "INVITE") lab_.receive("ACK");
    SipText again = lab_.receive(request.method());
    EXPECT_EQ(nonce_of(again), nonce);
    EXPECT_GT(sequence_of(again), sequence_of(request));
    EXPECT_EQ(again.body(), request.body());
    return again;
  }
  void answer_call(const SipText& invite, const std::string& headers = {}, const std::string& tag = "far") {
    lab_.answer(invite, "200 OK", headers, std::string(kSdp), tag);
    lab_.next<InviteAnswered>();
    ack_ = lab_.receive("ACK");
  }
  void hang_up() {
    lab_.send(SendBye{kCall, ""});
    lab_.answer(lab_.receive("BYE"), "200 OK");
  }

  explicit DialogUacTest(std::shared_ptr<const AddressPolicy> peers = nullptr) : lab_(std::move(peers)) {}

  SipLab lab_;
  SipText ack_;
};

TEST_F(DialogUacTest, EveryRequestAnswersItsChallengeAndCarriesTheLastOne) {
  const SipText invite = challenge(dial(), "n1");
  lab_.answer(invite, "183 Session Progress", reliable(7), std::string(kSdp));
  const SipText prack = lab_.receive("PRACK");
  EXPECT_EQ(nonce_of(prack), "n1");
  EXPECT_EQ(parameter_of(prack.header("Proxy-Authorization"), "nc"), "00000002");
  EXPECT_EQ(lab_.next<ProgressReceived>().status, 183);
  const SipText prack_again = challenge(prack, "n2");
  EXPECT_EQ(prack_again.header("RAck"), prack.header("RAck"));
  lab_.answer(prack_again, "200 OK");
  answer_call(invite);
  EXPECT_EQ(nonce_of(ack_), "n2");

  lab_.send(SendInfo{kCall, RequestId{5}, "application/dtmf-relay", {}, "Signal=5\r\nDuration=160\r\n"});
  const SipText info = challenge(lab_.receive("INFO"), "n3");
  EXPECT_EQ(info.header("Content-Type"), "application/dtmf-relay");
  lab_.answer(info, "200 OK");
  const auto answered = lab_.next<InfoResponded>();
  EXPECT_EQ(answered.status, 200);
  EXPECT_EQ(answered.request, RequestId{5});

  lab_.send(SendOffer{kCall, std::string(kSdp)});
  lab_.answer(challenge(lab_.receive("INVITE"), "n4"), "200 OK", {}, std::string(kSdp));
  EXPECT_EQ(lab_.next<OfferAnswered>().status, 200);
  EXPECT_EQ(nonce_of(lab_.receive("ACK")), "n4");

  lab_.send(SendBye{kCall, "SIP;cause=480"});
  const SipText bye = lab_.receive("BYE");
  EXPECT_EQ(nonce_of(bye), "n4");
  const SipText bye_again = challenge(bye, "n5");
  EXPECT_EQ(bye_again.header("Reason"), "SIP;cause=480");
  lab_.answer(bye_again, "200 OK");
}

TEST_F(DialogUacTest, AWrongPasswordIsSaidOnce) {
  SipText invite = challenge(dial(), "n1");
  lab_.answer(invite, kChallenge, proxy_asks("n2"));
  lab_.receive("ACK");
  EXPECT_EQ(lab_.next<InviteFailed>().status, 407);
  EXPECT_TRUE(lab_.is_left_alone());
}

TEST_F(DialogUacTest, AServerThatCallsEachNonceStaleIsAnsweredAFewTimes) {
  SipText invite = dial();
  int invites = 1;
  for (; invites < 20; ++invites) {
    lab_.answer(invite, kChallenge, proxy_asks("n" + std::to_string(invites), ", stale=true"));
    lab_.receive("ACK");
    const auto again = lab_.receive_unless_event();
    if (!again) break;
    invite = *again;
  }
  EXPECT_LE(invites, 8);
  EXPECT_GE(invites, 4);
  EXPECT_EQ(lab_.next<InviteFailed>().status, 407);
}

TEST_F(DialogUacTest, AProxyAndItsServerAreBothAnswered) {
  SipText invite = challenge(dial(), "p1");
  lab_.answer(invite, "401 Unauthorized", "WWW-Authenticate: Digest realm=\"server\", nonce=\"s1\"\r\n");
  lab_.receive("ACK");
  invite = lab_.receive("INVITE");
  EXPECT_EQ(nonce_of(invite), "p1");
  EXPECT_EQ(parameter_of(invite.header("Authorization"), "nonce"), "s1");
  answer_call(invite);
  hang_up();
}

TEST_F(DialogUacTest, SeveralChallengesOfOneAnswerAreAllAnswered) {
  lab_.answer(dial(), "401 Unauthorized",
              "WWW-Authenticate: Negotiate abc\r\nWWW-Authenticate: Digest realm=\"s\", nonce=\"s1\", "
              "algorithm=SHA-256\r\nWWW-Authenticate: Digest realm=\"s\", nonce=\"s2\"\r\n" +
                  proxy_asks("p1"));
  lab_.receive("ACK");
  const SipText invite = lab_.receive("INVITE");
  EXPECT_EQ(nonce_of(invite), "p1");
  EXPECT_EQ(parameter_of(invite.header("Authorization"), "nonce"), "s1");
  answer_call(invite);
  hang_up();
}

TEST_F(DialogUacTest, AChallengeThatIsNotAnsweredIsNoBusinessOfTheOtherParty) {
  answer_call(dial());
  lab_.send(SendInfo{kCall, RequestId{5}, "", {}, ""});
  lab_.answer(lab_.receive("INFO"), "401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n");
  EXPECT_EQ(lab_.next<InfoResponded>().status, 500);
  hang_up();
}

TEST_F(DialogUacTest, EachEarlyDialogOfAForkHasItsPrack) {
  const SipText invite = dial();
  lab_.answer(invite, "183 Session Progress", reliable(1), std::string(kSdp), "a");
  const SipText first = lab_.receive("PRACK");
  lab_.answer(invite, "180 Ringing", reliable(1), {}, "b");
  const SipText second = lab_.receive("PRACK");
  lab_.answer(invite, "180 Ringing", reliable(1), {}, "b");  // again: it is on its way
  lab_.answer(invite, "183 Session Progress", reliable(2), std::string(kSdp), "b");
  const SipText third = lab_.receive("PRACK");

  EXPECT_EQ(first.request_uri(), "sip:a@" + lab_.server());
  EXPECT_NE(first.header("To").find(";tag=a"), std::string::npos);
  EXPECT_EQ(second.request_uri(), "sip:b@" + lab_.server());
  EXPECT_NE(second.header("To").find(";tag=b"), std::string::npos);
  EXPECT_EQ(second.header("RAck"), "1 " + invite.header("CSeq"));
  EXPECT_EQ(third.header("RAck"), "2 " + invite.header("CSeq"));
  EXPECT_EQ(sequence_of(third), sequence_of(second) + 1);
  for (const int status : {183, 180, 183}) EXPECT_EQ(lab_.next<ProgressReceived>().status, status);
  EXPECT_TRUE(lab_.is_silent());

  // The first is silent: its PRACK gets no answer. The second goes on by its own numbers.
  lab_.answer(second, "200 OK");
  lab_.answer(third, "200 OK");
  answer_call(invite, {}, "b");
  EXPECT_NE(ack_.header("To").find(";tag=b"), std::string::npos);
  lab_.send(SendBye{kCall, ""});
  SipText bye = lab_.receive();
  while (bye.method() == "PRACK") bye = lab_.receive();
  EXPECT_EQ(bye.method(), "BYE");
  EXPECT_EQ(sequence_of(bye), sequence_of(third) + 1);
  lab_.answer(bye, "200 OK");
}

TEST_F(DialogUacTest, AReliableAnswerBeforeItsTimeMeansNothing) {
  const SipText invite = dial();
  lab_.answer(invite, "180 Ringing", reliable(1));
  lab_.answer(lab_.receive("PRACK"), "200 OK");
  EXPECT_EQ(lab_.next<ProgressReceived>().status, 180);
  lab_.answer(invite, "183 Session Progress", reliable(3), std::string(kSdp));
  EXPECT_TRUE(lab_.is_left_alone());
  EXPECT_TRUE(lab_.is_silent());
  answer_call(invite);
  hang_up();
}

TEST_F(DialogUacTest, ASecondBranchThatAnswersIsAckedAndHungUpOverItsOwnRoute) {
  const SipText invite = challenge(dial(), "n1");
  answer_call(invite, {}, "a");
  const std::string route = "Record-Route: <sip:proxy@" + lab_.server() + ";lr>\r\n";
  lab_.answer(invite, "200 OK", route, std::string(kSdp), "b");
  const SipText ack = lab_.receive("ACK");
  const SipText bye = lab_.receive("BYE");
  for (const SipText& each : {ack, bye}) {
    EXPECT_EQ(each.request_uri(), "sip:b@" + lab_.server());
    EXPECT_NE(each.header("To").find(";tag=b"), std::string::npos);
    EXPECT_NE(each.header("Route").find("sip:proxy@"), std::string::npos);
    EXPECT_EQ(nonce_of(each), "n1");
    EXPECT_NE(each.header("Via").find(lab_.gateway()), std::string::npos);  // and no other way
  }
  lab_.answer(invite, "200 OK", route, std::string(kSdp), "b");  // its ACK was lost
  EXPECT_EQ(lab_.receive().method(), "ACK");
  lab_.answer(challenge(bye, "n2"), "200 OK");
  EXPECT_TRUE(lab_.is_silent());
  hang_up();
}

TEST_F(DialogUacTest, ASecondBranchThatAnswersWhenTheCallIsOverIsHungUpToo) {
  const SipText invite = challenge(dial(), "n1");
  answer_call(invite, {}, "a");
  hang_up();
  EXPECT_TRUE(lab_.is_left_alone());
  lab_.answer(invite, "200 OK", {}, std::string(kSdp), "b");
  EXPECT_EQ(lab_.receive("ACK").request_uri(), "sip:b@" + lab_.server());
  const SipText bye = lab_.receive("BYE");
  EXPECT_EQ(bye.request_uri(), "sip:b@" + lab_.server());
  lab_.answer(challenge(bye, "n2"), "200 OK");

  lab_.answer(invite, "200 OK", {}, std::string(kSdp), "a");  // its ACK was lost
  EXPECT_EQ(lab_.receive("ACK").request_uri(), "sip:a@" + lab_.server());
  EXPECT_TRUE(lab_.is_left_alone());
  EXPECT_TRUE(lab_.is_silent());
}

TEST_F(DialogUacTest, ACallThatIsOverTakesNoMoreRequests) {
  const SipText invite = dial();
  answer_call(invite);
  hang_up();
  EXPECT_TRUE(lab_.is_left_alone());
  const std::string far = ack_.header("To");
  lab_.transmit("OPTIONS sip:vas@" + lab_.gateway() + " SIP/2.0\r\nVia: SIP/2.0/UDP " + lab_.server() +
                ";rport;branch=z9hG4bKlate\r\nMax-Forwards: 70\r\nFrom: " + far +
                "\r\nTo: " + invite.header("From") + "\r\nCall-ID: " + invite.header("Call-ID") +
                "\r\nCSeq: 9 OPTIONS\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(lab_.receive().text.starts_with("SIP/2.0 481 "));
}

TEST_F(DialogUacTest, AByeThatFollowsACancelHasItsReason) {
  const SipText invite = dial();
  lab_.answer(invite, "180 Ringing");
  EXPECT_EQ(lab_.next<ProgressReceived>().status, 180);
  lab_.send(CancelInvite{kCall, "Q.850;cause=16"});
  EXPECT_EQ(lab_.receive("CANCEL").header("Reason"), "Q.850;cause=16");
  lab_.answer(invite, "200 OK", {}, std::string(kSdp));  // they crossed
  SipText got = lab_.receive();
  while (got.method() != "BYE") got = lab_.receive();
  EXPECT_EQ(got.header("Reason"), "Q.850;cause=16");
  lab_.answer(got, "200 OK");
}

// Only 127.0.0.1 may be sent to, as an address of the internet elsewhere.
class DialogUacPolicyTest : public DialogUacTest {
 protected:
  DialogUacPolicyTest()
      : DialogUacTest(std::make_shared<AddressPolicy>(AddressPolicy::Door::kPeer,
                                                      std::vector{*Network::parse("127.0.0.1/32")})) {}
};

TEST_F(DialogUacPolicyTest, NoBranchBringsAnythingToWhereNobodyMaySend) {
  const UdpSocket victim("127.0.0.2:0");
  const SipText invite = dial();
  answer_call(invite, {}, "a");
  lab_.answer(invite, "200 OK", {}, std::string(kSdp), "b", to_string(victim.local()));
  for (const char* method : {"ACK", "BYE"})  // they go back the way that the 2xx came
    EXPECT_EQ(lab_.receive(method).request_uri(), "sip:b@" + to_string(victim.local()));
  EXPECT_TRUE(victim.receive().empty());
  hang_up();
}

TEST_F(DialogUacTest, ManyBranchesAreServedAndNoMoreThanABound) {
  const SipText invite = dial();
  for (int i = 0; i < 40; ++i) lab_.answer(invite, "180 Ringing", reliable(1), {}, "tag" + std::to_string(i));
  for (int i = 0; i < 40; ++i) EXPECT_EQ(lab_.next<ProgressReceived>().status, 180);
  std::set<std::string> acknowledged;
  for (int i = 0; i < 16; ++i) acknowledged.insert(lab_.receive("PRACK").header("To"));
  EXPECT_EQ(acknowledged.size(), 16u);
  answer_call(invite, {}, "tag39");
}

TEST_F(DialogUacTest, ALongerSessionIsTakenWhereItsWayAsksForOne) {
  const SipText invite = dial();
  EXPECT_EQ(invite.header("Min-SE"), "90");
  lab_.answer(invite, "422 Session Interval Too Small", "Min-SE: 3600\r\n");
  lab_.receive("ACK");
  const SipText again = lab_.receive("INVITE");
  EXPECT_EQ(again.header("Min-SE"), "3600");
  EXPECT_EQ(again.header("Session-Expires"), "3600");
  answer_call(again, "Session-Expires: 3600;refresher=uas\r\n");

  lab_.send(SendOffer{kCall, std::string(kSdp)});  // who refreshes goes on doing so
  const SipText offer = lab_.receive("INVITE");
  EXPECT_EQ(offer.header("Session-Expires"), "3600;refresher=uas");
  lab_.answer(offer, "422 Session Interval Too Small", "Min-SE: 4000\r\n");
  lab_.receive("ACK");
  const SipText longer = lab_.receive("INVITE");
  EXPECT_EQ(longer.header("Session-Expires"), "4000;refresher=uas");
  EXPECT_EQ(longer.body(), offer.body());
  lab_.answer(longer, "200 OK", "Session-Expires: 4000;refresher=uas\r\n", std::string(kSdp));
  EXPECT_EQ(lab_.next<OfferAnswered>().status, 200);
  lab_.receive("ACK");
  hang_up();
}

TEST_F(DialogUacTest, AWayThatAsksForEverLongerSessionsIsRefused) {
  SipText invite = dial();
  int invites = 1;
  for (; invites < 20; ++invites) {
    lab_.answer(invite, "422 Session Interval Too Small",
                "Min-SE: " + std::to_string(100 * (invites + 1)) + "\r\n");
    lab_.receive("ACK");
    const auto again = lab_.receive_unless_event();
    if (!again) break;
    invite = *again;
  }
  EXPECT_LE(invites, 8);
  EXPECT_EQ(lab_.next<InviteFailed>().status, 422);
}

TEST_F(DialogUacTest, SaysHowManyHopsAreLeft) {
  const SipText invite = dial(4);
  EXPECT_EQ(invite.header("Max-Forwards"), "4");
  EXPECT_EQ(challenge(invite, "n1").header("Max-Forwards"), "4");
}

}  // namespace
}  // namespace vas::signaling
