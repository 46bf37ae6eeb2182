#include "vas/api/destination.h"

#include <gtest/gtest.h>

namespace vas::api {
namespace {

std::string dialled(std::string_view text) {
  const auto number = parse_destination(text);
  return number ? *number : "-";
}

TEST(Destination, E164IsMeantWhereAPlusIsInFront) {
  for (const char* good :
       {"+63121233333", "+1", "+49115", "+123456789012345", "+12025550100;npdi;rn=+12025550199"})
    EXPECT_EQ(dialled(good), good);
  EXPECT_EQ(dialled("+1 (202) 555-01.00"), "+12025550100");
  for (const char* wrong :
       {"+", "+0123456", "+1234567890123456", "+1-800-FLOWERS", "+1#2", "++1", "+1;a b", "+ "})
    EXPECT_EQ(dialled(wrong), "-") << wrong;
}

TEST(Destination, ExtensionsServiceCodesAndUsersOfSipServersAreNumbersToo) {
  for (const char* good : {"1", "999", "63121233333", "01163121233333", "2828#63121233333", "*21*100#",
                           "alice", "front-desk", "alice.b_1", "0", "1010288011631212333334567"})
    EXPECT_EQ(dialled(good), good);
}

TEST(Destination, WhatNoNetworkHasIsNone) {
  for (const char* wrong : {"", " ", "#", "-", "*", "alice@example.com", "sip:100", "63 121 233", "<100>",
                            "1\"2", "a%20b", "\xc3\xa4", "10102880116312123333345678"})
    EXPECT_EQ(dialled(wrong), "-") << wrong;
}

TEST(Destination, TheRefusalSaysWhy) {
  EXPECT_EQ(parse_destination("+1-800-FLOWERS").error(),
            "begins with + as E.164 numbers do, and has more than digits behind it");
  EXPECT_EQ(parse_destination("+1234567890123456").error(),
            "is no E.164 number: behind the + come up to 15 digits, and the first is no 0");
  EXPECT_EQ(parse_destination(std::string(26, '1')).error(), "has 26 digits: no network has more than 25");
}

}  // namespace
}  // namespace vas::api
