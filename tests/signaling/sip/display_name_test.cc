#include "signaling/sip/display_name.h"

#include <gtest/gtest.h>

#include "signaling/gateway/policy/guard.h"
#include "signaling/sip/sip_message.h"
#include "signaling/sip/via_editor.h"

namespace vas::signaling {
namespace {

TEST(DisplayName, WhatTheGrammarHasStaysAsItIs) {
  for (const char* value : {"<sip:a@b>", "Bob <sip:a@b>;tag=x", "Bob the  Builder <sip:a@b>",
                            "\"Zo\xc3\xab, \\\"Z\\\"\" <sip:a@b>;tag=1", "sip:a@b;tag=x",
                            "'single' <sip:a@b>", "\"\" <sip:a@b>", "*", "1.2-3 <sip:a@b>, Bob<sip:c@d>"}) {
    EXPECT_FALSE(has_bare_name(value)) << value;
  }
}

TEST(DisplayName, ABareNameIsQuoted) {
  EXPECT_EQ(with_quoted_names("Zo\xc3\xab M\xc3\xbcller <sip:a@b>;tag=x"),
            "\"Zo\xc3\xab M\xc3\xbcller\" <sip:a@b>;tag=x");
  EXPECT_EQ(with_quoted_names("jo@x.example <sip:a@b>"), "\"jo@x.example\" <sip:a@b>");
  EXPECT_EQ(with_quoted_names("Tel: 5<sip:a@b>"), "\"Tel: 5\" <sip:a@b>");
  EXPECT_EQ(with_quoted_names("HQ\\bob <sip:a@b>"), "\"HQ\\\\bob\" <sip:a@b>");
  EXPECT_EQ(with_quoted_names("Zo\xc3\xab\r\n M <sip:a@b>"), "\"Zo\xc3\xab M\" <sip:a@b>");
  EXPECT_EQ(with_quoted_names("Zo\xc3\xab <sip:a@b>, <sip:c@d>;q=1"),
            "\"Zo\xc3\xab\" <sip:a@b>, <sip:c@d>;q=1");
}

constexpr std::string_view kInvite =
    "INVITE sip:x@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
    "From: @ <sip:a@b>;tag=f\r\nTo: @ <sip:x@h>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: @ "
    "<sip:a@192.0.2.1>\r\n"
    "Content-Length: 0\r\n\r\n";

std::string named(std::string_view name, std::string text = std::string(kInvite)) {
  for (auto at = text.find("@ <"); at != std::string::npos; at = text.find("@ <", at + name.size()))
    text.replace(at, 1, name);
  return text;
}

TEST(DisplayName, TheStackIsGivenQuotedNamesInRequestsAndResponses) {
  const FlowSigner signer;
  const ViaEditor editor(signer, *Endpoint::parse("127.0.0.1:7001"), {*Endpoint::parse("127.0.0.1:7002")});
  const Flow source{Transport::kUdp, *Endpoint::parse("192.0.2.1:5060"), 0};
  const std::string text = named("Zo\xc3\xab: x@y");
  const auto request = SipMessage::parse(text);
  ASSERT_TRUE(request);
  EXPECT_FALSE(check_request(*request, text.size()));
  const std::string edited = editor.request_to_stack(*request, source);
  EXPECT_NE(edited.find("\r\nFrom: \"Zo\xc3\xab: x@y\" <sip:a@b>;tag=f\r\n"), std::string::npos) << edited;
  EXPECT_NE(edited.find("\r\nTo: \"Zo\xc3\xab: x@y\" <sip:x@h>\r\n"), std::string::npos) << edited;
  EXPECT_NE(edited.find("\r\nContact: \"Zo\xc3\xab: x@y\" <sip:a@192.0.2.1>\r\n"), std::string::npos)
      << edited;
}

TEST(DisplayName, WhatIsNoAddressIsStillRefused) {
  for (const char* bad : {"\"a", "a\"b", "a \"b\"", "a>b", "\"a\" b"}) {
    const std::string text = named(bad);
    const auto request = SipMessage::parse(text);
    ASSERT_TRUE(request) << bad;
    EXPECT_TRUE(check_request(*request, text.size())) << bad;
  }
}

}  // namespace
}  // namespace vas::signaling
