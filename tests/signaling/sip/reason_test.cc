#include <gtest/gtest.h>

#include "signaling/sip/reason_header.h"
#include "signaling/sip/reason_phrase.h"

namespace vas::signaling {
namespace {

TEST(ReasonHeader, AllValuesPassInTheirOrder) {
  EXPECT_EQ(passable_reasons("SIP;cause=486;text=\"Busy, really\", Q.850;cause=17;text=\"User busy\""),
            "SIP;cause=486;text=\"Busy, really\", Q.850;cause=17;text=\"User busy\"");
  EXPECT_EQ(passable_reasons("Q.850 ;cause=16 ;text=\"Normal; call, clearing\",SIP;cause=200"),
            "Q.850 ;cause=16 ;text=\"Normal; call, clearing\", SIP;cause=200");
  EXPECT_EQ(passable_reasons("Q.850;cause=31;location=LN;x"), "Q.850;cause=31;location=LN;x");
  EXPECT_EQ(passable_reasons("preemption;cause=1;text=\"a \\\"b\\\"\""),
            "preemption;cause=1;text=\"a \\\"b\\\"\"");
  EXPECT_EQ(passable_reasons("SIP"), "SIP");
}

TEST(ReasonHeader, WhatTheGrammarDoesNotAllowIsLeftOut) {
  for (const char* bad :
       {"", ",", ";", "SIP;", ";cause=1", "SIP;cause=", "SIP;cause=x", "SIP;cause=-1", "SIP;cause=\"1\"",
        "SIP;text=\"a", "SIP;text=\"a\"b", "SIP;text=a b", "S IP;cause=1", "SIP;;cause=1", "SIP;=1",
        "SIP;text=\"a\rb\"", "<sip:a@b>", "SIP;text=\"a\\\""}) {
    EXPECT_EQ(passable_reasons(bad), "") << bad;
  }
  EXPECT_EQ(passable_reasons("SIP;cause=x, Q.850;cause=16, ,"), "Q.850;cause=16");
}

TEST(ReasonHeader, ManyAndLongOnesAreLeftOut) {
  std::string many = "SIP;cause=1";
  for (int i = 0; i < 20; ++i) many += ", SIP;cause=1";
  EXPECT_EQ(passable_reasons(many).size(), kMaxReasons * std::string("SIP;cause=1, ").size() - 2);
  EXPECT_EQ(passable_reasons("SIP;text=\"" + std::string(kMaxReasonBytes, 'x') + "\", Q.850;cause=16"),
            "Q.850;cause=16");
}

TEST(ReasonPhrase, EachCodeHasOneAndUnknownOnesThatOfTheirClass) {
  EXPECT_STREQ(reason_phrase(180), "Ringing");
  EXPECT_STREQ(reason_phrase(200), "OK");
  EXPECT_STREQ(reason_phrase(481), "Call/Transaction Does Not Exist");
  EXPECT_STREQ(reason_phrase(155), "Session Progress");
  EXPECT_STREQ(reason_phrase(299), "OK");
  EXPECT_STREQ(reason_phrase(499), "Bad Request");
  EXPECT_STREQ(reason_phrase(599), "Server Internal Error");
  EXPECT_STREQ(reason_phrase(699), "Busy Everywhere");
  EXPECT_STREQ(reason_phrase(0), "Busy Everywhere");
}

}  // namespace
}  // namespace vas::signaling
