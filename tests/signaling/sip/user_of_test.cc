#include "signaling/sip/user_of.h"

#include <gtest/gtest.h>

#include <string>

namespace vas::signaling {
namespace {

TEST(UserOf, ParametersOfTheUserAreNotTheNumber) {
  for (const char* uri :
       {"sip:+15550002@h", "sip:+15550002;npdi;rn=+15550009999@h;user=phone", "sip:+15550002;npdi=yes@h",
        "sips:+15550002;tgrp=tg1;trunk-context=carrier.example@h", "sip:+15550002;isub=1234@h",
        "SIP:+15550002@h", "sip:+15550002;cpc=ordinary@h;user=phone", "sip:+15550002:secret@h",
        "sip:+15550002;x=y:secret@h", "sip:%2B15550002@h", "sip:%2b1555000%32;ext=5@h", "tel:+15550002",
        "TEL:+15550002;phone-context=x.example", "tel:+1-555-0002", "sip:+1-555-0002@h",
        "sip:+1.(555).0002@h:5060;user=phone", "sip:+1%20555%200002@h"}) {
    EXPECT_EQ(user_of(uri), "+15550002") << uri;
  }
}

TEST(UserOf, ANumberOfALocalPlanHasSeparatorsWhereTheUriSaysThatItIsOne) {
  EXPECT_EQ(user_of("sip:555-0002@h;user=phone"), "5550002");
  EXPECT_EQ(user_of("sip:555-0002@h;user=ip"), "555-0002");
  EXPECT_EQ(user_of("sip:555-0002@h"), "555-0002") << "it may be a name";
  EXPECT_EQ(user_of("tel:5550002;phone-context=+1"), "5550002")
      << "a context is no prefix (RFC 3966 section 5.1.5)";
  EXPECT_EQ(user_of("sip:10.0.0.1@h"), "10.0.0.1");
  EXPECT_EQ(user_of("sip:*31*555@h"), "*31*555");
}

TEST(UserOf, NamesStayAsTheyAre) {
  EXPECT_EQ(user_of("sip:alice.b-c@h"), "alice.b-c");
  EXPECT_EQ(user_of("sip:alice.b-c@h;user=phone"), "alice.b-c") << "no number, whatever it says";
  EXPECT_EQ(user_of("sip:zo%C3%AB@h"), "zo\xc3\xab");
  EXPECT_EQ(user_of("sip:anonymous@anonymous.invalid"), "anonymous");
}

TEST(UserOf, WhatEscapesHideIsTextOrStaysEscaped) {
  EXPECT_EQ(user_of("sip:a%00b@h"), "a%00b");
  EXPECT_EQ(user_of("sip:a%0D%0Ab@h"), "a%0D%0Ab");
  EXPECT_EQ(user_of("sip:a%FFb@h"), "a%FFb");
  EXPECT_EQ(user_of("sip:100%@h"), "100%");
  EXPECT_EQ(user_of("sip:100%2@h"), "100%2");
  EXPECT_EQ(user_of("sip:a%3Bb@h"), "a;b") << "an escaped semicolon parts nothing";
  EXPECT_EQ(user_of("sip:a%252Bb@h"), "a%2Bb") << "once";
}

TEST(UserOf, WhoeverNamesNobodyIsNobody) {
  for (const char* uri :
       {"", "sip:h", "sip:@h", "sip:;x=y@h", "tel:", "tel:;x", "mailto:a@b", "+15550002", "sip:"})
    EXPECT_EQ(user_of(uri), "") << uri;
}

}  // namespace
}  // namespace vas::signaling
