#include "signaling/sip/sip_message.h"

#include <gtest/gtest.h>

namespace vas::signaling {
namespace {

constexpr std::string_view kInvite =
    "INVITE sip:bob@192.0.2.4;transport=tcp SIP/2.0\r\n"
    "v: SIP/2.0/UDP a.example:5060 ;branch=z9hG4bK1;rport, SIP/2.0/TCP b.example;branch=z9hG4bK2\r\n"
    "Subject: folded\r\n  over two lines\r\n"
    "m: \"Bob, <the> \\\"one\\\"\" <sip:bob@192.0.2.4>;x=1\r\n"
    "X-VAS-Source: forged\r\n"
    "CSeq: 7 INVITE\r\n"
    "Content-Length: 3\r\n\r\nabc";

TEST(SipMessage, FindsHeadersByTheirFullAndCompactNames) {
  const auto message = SipMessage::parse(kInvite);
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->is_request());
  EXPECT_EQ(message->method(), "INVITE");
  EXPECT_EQ(message->request_uri(), "sip:bob@192.0.2.4;transport=tcp");
  EXPECT_EQ(message->version(), "SIP/2.0");
  EXPECT_EQ(message->count(HeaderName::kVia), 1u);
  EXPECT_EQ(message->first(HeaderName::kVasPrivate)->value, "forged");
  EXPECT_EQ(uri_of(message->first(HeaderName::kContact)->value), "sip:bob@192.0.2.4");
  EXPECT_EQ(message->body, "abc");
}

TEST(SipMessage, SplitsElementsOutsideQuotesAndBrackets) {
  const auto parts = elements(R"("a, b" <sip:x,y@h>;p=1, <sip:z@h>)");
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[1], "<sip:z@h>");
}

TEST(SipMessage, ReadsAVia) {
  const auto via = Via::parse(first_element(SipMessage::parse(kInvite)->first(HeaderName::kVia)->value));
  ASSERT_TRUE(via);
  EXPECT_EQ(via->host, "a.example");
  EXPECT_EQ(via->port, 5060);
  EXPECT_EQ(via->branch, "z9hG4bK1");
  EXPECT_TRUE(via->has_rport);
  EXPECT_EQ(Via::parse("SIP/2.0/UDP [2001:db8::1]:5070;branch=x")->host, "[2001:db8::1]");
  for (const char* text :
       {"", "SIP/2.0/UDP", "UDP host", "SIP/2.0/UDP h:99999", "SIP/2.0/UDP [::1;x", "SIP/2.0/UDP h:0"})
    EXPECT_FALSE(Via::parse(text)) << text;
}

TEST(SipMessage, ReadsASipUri) {
  const auto uri = SipUri::parse("sip:al%20ice;x@192.0.2.1:5070;transport=TCP;lr?h=v");
  ASSERT_TRUE(uri);
  EXPECT_EQ(uri->user, "al%20ice;x");
  EXPECT_EQ(uri->host, "192.0.2.1");
  EXPECT_EQ(uri->port, 5070);
  EXPECT_EQ(uri->transport(), "TCP");
  for (const char* text : {"tel:+1", "mailto:a@b", "*", "sip:", "sip:a@", "sip:a@h:x", ""})
    EXPECT_FALSE(SipUri::parse(text)) << text;
}

TEST(SipMessage, EveryTruncationIsRefusedUpToTheEmptyLine) {
  const auto head = kInvite.find("\r\n\r\n") + 4;
  for (std::size_t size = 0; size < kInvite.size(); ++size) {
    EXPECT_EQ(SipMessage::parse(kInvite.substr(0, size)).has_value(), size >= head) << size;
  }
}

std::string options(const std::string& line) {
  return "OPTIONS sip:x SIP/2.0\r\n" + line + "\r\nTo: x\r\n\r\n";
}

// Found by the fuzzer: with the CR gone this was a second private header.
TEST(SipMessage, IsNoTextWithAStrayCarriageReturnInAName) {
  const std::string text = options("X\r-VAS-Source: forged");
  const auto message = SipMessage::parse(text);
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->is_text);
}

TEST(SipMessage, IsNoTextWhereWhatItDependsOnIsNone) {
  for (const std::string& bad : std::vector<std::string>{"a", "a\xff", "a\x1b[31m", "a\x7f", "a\xc2\x9bz",
                                                         "a\rb", "\xed\xa0\x80", std::string("a\0b", 3)}) {
    for (const std::string name :
         {"Via", "f", "To", "i", "Contact", "Record-Route", "Require", "X-Cloudonix-Session"}) {
      const std::string text = options(name + ": " + bad);
      EXPECT_EQ(SipMessage::parse(text)->is_text, bad == "a") << name << bad;
    }
  }
}

TEST(SipMessage, GoesOnWithoutWhatOnlyTellsOfItsSender) {
  const std::string text = options("User-Agent: M\xfcller\r\nSubject: \x1b[2J\r\nServer: caf\xc3\xa9");
  const auto message = SipMessage::parse(text);
  EXPECT_TRUE(message->is_text);
  EXPECT_EQ(message->count(HeaderName::kUserAgent), 0u);
  ASSERT_EQ(message->headers.size(), 2u);
  EXPECT_EQ(message->headers[0].value, "caf\xc3\xa9");
}

TEST(SipMessage, TakesFoldsAndTabsForBlanks) {
  const std::string text = options("Contact: \"a\"\r\n\t<sip:b@h>;x\t=\n 1");
  EXPECT_TRUE(SipMessage::parse(text)->is_text);
}

TEST(SipMessage, LosesAReasonPhraseThatIsNoText) {
  const auto good = SipMessage::parse("SIP/2.0 200 \xd0\xbd\xd0\xbe\r\nTo: x\r\n\r\n");
  EXPECT_EQ(good->start_line, "SIP/2.0 200 \xd0\xbd\xd0\xbe");
  const auto bad = SipMessage::parse("SIP/2.0 200 O\x1b[1mK\xff\r\nTo: x\r\n\r\n");
  EXPECT_TRUE(bad->is_text);
  EXPECT_EQ(bad->start_line, "SIP/2.0 200 ");
  EXPECT_EQ(bad->status(), 200);
  EXPECT_FALSE(SipMessage::parse("SIP/2.0 2\xff 0 OK\r\nTo: x\r\n\r\n")->is_text);
}

TEST(SipMessage, KeepsItsBounds) {
  std::string many = "OPTIONS sip:x SIP/2.0\r\n";
  for (std::size_t i = 0; i <= SipMessage::kMaxHeaders; ++i) many += "X: y\r\n";
  EXPECT_FALSE(SipMessage::parse(many + "\r\n"));
  EXPECT_FALSE(SipMessage::parse(
      "OPTIONS sip:x SIP/2.0\r\nX: " + std::string(SipMessage::kMaxLineBytes, 'y') + "\r\n\r\n"));
  EXPECT_FALSE(SipMessage::parse("OPTIONS sip:x SIP/2.0\r\n\r\n" + std::string(SipMessage::kMaxBytes, 'y')));
  EXPECT_FALSE(SipMessage::parse("OPTIONS sip:x SIP/2.0\r\nno colon\r\n\r\n"));
}

}  // namespace
}  // namespace vas::signaling
