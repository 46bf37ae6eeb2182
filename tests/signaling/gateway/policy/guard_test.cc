#include "signaling/gateway/policy/guard.h"

#include <gtest/gtest.h>

#include "signaling/sip/header_bounds.h"

namespace vas::signaling {
namespace {

std::string request(const std::string& replace = "", const std::string& with = "",
                    const std::string& method = "INVITE") {
  std::string text = method +
                     " sip:bob@192.0.2.4 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: "
                     "<sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
                     "Call-ID: c@h\r\nCSeq: 1 " +
                     method +
                     "\r\nContact: <sip:a@192.0.2.1>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
  if (!replace.empty()) text.replace(text.find(replace), replace.size(), with);
  return text;
}

int verdict(const std::string& text) {
  const auto message = SipMessage::parse(text);
  if (!message) return -1;
  const auto refused = check_request(*message, text.size());
  return refused ? refused->status : 200;
}

TEST(Guard, LetsAProperRequestPass) {
  EXPECT_EQ(verdict(request()), 200);
  EXPECT_EQ(verdict(request("", "", "OPTIONS")), 200);
}

TEST(Guard, RefusesATargetThatIsNoSipUri) {
  for (const char* contact :
       {"<tel:+1>", "*", "<mailto:a@b>", "", "<sip:a@h>, <sip:b@h>", "<sip:a@h>\r\nContact: <sip:b@h>"}) {
    EXPECT_EQ(verdict(request("<sip:a@192.0.2.1>", contact)), 400) << contact;
  }
  EXPECT_EQ(verdict(request("Contact: <sip:a@192.0.2.1>\r\n", "")), 400);
  EXPECT_EQ(verdict(request("Max-Forwards", "Record-Route: <tel:1>\r\nMax-Forwards")), 400);
}

TEST(Guard, ChecksNumbersAndSingles) {
  EXPECT_EQ(verdict(request("CSeq: 1 INVITE", "CSeq: 4294967296 INVITE")), 400);
  EXPECT_EQ(verdict(request("CSeq: 1 INVITE", "CSeq: 1 OPTIONS")), 400);
  EXPECT_EQ(verdict(request("Max-Forwards: 70", "Max-Forwards: 256")), 400);
  EXPECT_EQ(verdict(request("Max-Forwards: 70", "Max-Forwards: 0")), 483);
  EXPECT_EQ(verdict(request("Content-Length: 0", "Content-Length: 5")), 400);
  EXPECT_EQ(verdict(request("Content-Length: 0", "Content-Length: 0\r\nl: 0")), 400);
  EXPECT_EQ(verdict(request("To:", "To: <sip:x@h>\r\nTo:")), 400);
  EXPECT_EQ(verdict(request("Call-ID: c@h\r\n", "")), 400);
  EXPECT_EQ(verdict(request(" SIP/2.0\r\nVia", " SIP/7.0\r\nVia")), 505);
}

TEST(Guard, RefusesWhatIsTooLargeByItsSizeOrByItsContentLength) {
  EXPECT_EQ(verdict(request("Content-Length: 0", "Content-Length: 70000")), 513);
  const std::string text = request();
  EXPECT_EQ(check_request(*SipMessage::parse(text), SipMessage::kMaxBytes + 1)->status, 513);
}

TEST(Guard, TellsAnUnknownSchemeFromABadUri) {
  EXPECT_EQ(verdict(request("INVITE sip:bob@192.0.2.4", "INVITE soap.beep://192.0.2.4")), 416);
  EXPECT_EQ(verdict(request("INVITE sip:bob@192.0.2.4", "INVITE tel:+97254")), 200);
  EXPECT_EQ(verdict(request("INVITE sip:bob@192.0.2.4", "INVITE tel:97254;phone-context=+1")), 200);
  for (const char* nobody : {"tel:", "tel:;npdi", "tel:+1@h", "tel:+1?x=y", "tel://1"})
    EXPECT_EQ(verdict(request("INVITE sip:bob@192.0.2.4", std::string("INVITE ") + nobody)), 416) << nobody;
  EXPECT_EQ(verdict(request("INVITE sip:bob@192.0.2.4", "INVITE sip:bob@:99999")), 400);
}

TEST(Guard, KnowsScannersByTheirNames) {
  for (const char* agent : {"friendly-scanner", "sipcli/v1.8", "VaxSIPUserAgent/3.5"}) {
    const std::string text =
        request("Max-Forwards", std::string("User-Agent: ") + agent + "\r\nMax-Forwards");
    EXPECT_TRUE(is_scanner(*SipMessage::parse(text))) << agent;
  }
  const std::string phone = request("Max-Forwards", "User-Agent: baresip v1.0.0\r\nMax-Forwards");
  EXPECT_FALSE(is_scanner(*SipMessage::parse(phone)));
}

TEST(Guard, IsSilentWhereNothingCanBeAnswered) {
  EXPECT_EQ(verdict(request("Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n", "")), 0);
  EXPECT_EQ(verdict(request("CSeq: 1 ACK", "CSeq: 1 INVITE", "ACK")), 0);
}

TEST(Guard, RefusesWhatIsNoText) {
  EXPECT_EQ(verdict(request("c@h", "c\xff@h")), 400);
  EXPECT_EQ(verdict(request("<sip:a@h>", "\"a\x1b[31m\" <sip:a@h>")), 400);
  EXPECT_EQ(verdict(request("<sip:a@h>", "\"BEL:\\\x07\" <sip:a@h>")), 400);  // a quoted pair may not either
  EXPECT_EQ(verdict(request("sip:bob@192", "sip:b\xc2\x9b@192")), 400);
  EXPECT_EQ(verdict(request("Via: SIP/2.0/UDP h;branch", "Via: SIP/2.0/UDP h;x=\xff;branch")), 400);
  EXPECT_EQ(verdict(request("c@h", "c\xff@h", "ACK")), 0);
  EXPECT_EQ(verdict(request("<sip:a@h>", "J\xc3\xb6rg \xe2\x82\xac <sip:a@h>")), 200);  // as people have them
  EXPECT_EQ(verdict(request("Max-Forwards", "Subject: \xff\x1b\r\nMax-Forwards")), 200);
}

TEST(Guard, AnswersInTextAlone) {
  const std::string text = request("c@h", "c\xff\x1b@h");
  const auto message = SipMessage::parse(text);
  const FlowSigner signer;
  const Flow source{Transport::kUdp, *Endpoint::parse("192.0.2.9:5060"), 0};
  const std::string response =
      stateless_response(*message, source, *check_request(*message, text.size()), signer);
  EXPECT_NE(response.find("\r\nCall-ID: c??@h\r\n"), std::string::npos) << response;
}

std::string times(const std::string& piece, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += piece;
  return all;
}

TEST(Guard, BoundsTheElementsOfHeaders) {
  const std::string via = "Via: SIP/2.0/UDP h;branch=z9hG4bK2\r\n";
  EXPECT_EQ(verdict(request("Max-Forwards", times(via, kMaxVias - 1) + "Max-Forwards")), 200);
  EXPECT_EQ(verdict(request("Max-Forwards", times(via, kMaxVias) + "Max-Forwards")), 400);
  EXPECT_EQ(verdict(request("From:", "Via: SIP/2.0/UDP h" + times(",SIP/2.0/UDP h", kMaxVias) + "\r\nFrom:")),
            400);
  for (const char* name : {"Route: ", "Record-Route: "}) {
    const std::string route = name + std::string("<sip:a;lr>");
    EXPECT_EQ(verdict(request("From:", route + times(",<sip:a;lr>", kMaxRoutes - 1) + "\r\nFrom:")), 200);
    EXPECT_EQ(verdict(request("From:", route + times(",<sip:a;lr>", kMaxRoutes) + "\r\nFrom:")), 400);
  }
  EXPECT_EQ(
      verdict(request("<sip:a@192.0.2.1>", "<sip:a@h>" + times(", <sip:a@h>", kMaxContacts), "OPTIONS")),
      400);
  EXPECT_EQ(verdict(request("From:", "Accept: a/b" + times(";c", kMaxSeparators) + "\r\nFrom:")), 200);
  EXPECT_EQ(verdict(request("From:", "Accept: a/b" + times(",c/d", kMaxSeparators + 1) + "\r\nFrom:")), 400);
}

TEST(Guard, DropsAnAnswerThatIsNoText) {
  const std::string text =
      "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: "
      "<sip:b@h>;tag=2\xff"
      "\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:b@h>\r\n\r\n";
  EXPECT_TRUE(check_response(*SipMessage::parse(text)));
}

TEST(Guard, DropsAnAnswerWhoseContactIsNoSipUri) {
  const auto response = [](const std::string& status, const std::string& contact) {
    return "SIP/2.0 " + status +
           "\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: "
           "<sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: " +
           contact + "\r\n\r\n";
  };
  EXPECT_FALSE(check_response(*SipMessage::parse(response("200 OK", "<sip:b@192.0.2.1>"))));
  EXPECT_TRUE(check_response(*SipMessage::parse(response("200 OK", "<tel:+1>"))));
  EXPECT_FALSE(check_response(*SipMessage::parse(response("302 Moved", "<tel:+1>"))));
  EXPECT_TRUE(check_response(*SipMessage::parse(response("999 No", "<sip:b@h>"))));
}

}  // namespace
}  // namespace vas::signaling
