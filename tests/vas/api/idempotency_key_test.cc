#include "vas/api/idempotency_key.h"

#include <gtest/gtest.h>

namespace vas::api {
namespace {

std::string key(std::string_view field) { return parse_idempotency_key(field).value_or("-"); }

TEST(IdempotencyKey, IsAStringInQuotesOrAsManySendIt) {
  EXPECT_EQ(key("\"8e03978e-40d5-43dd-bc93-6894a57f9324\""), "8e03978e-40d5-43dd-bc93-6894a57f9324");
  EXPECT_EQ(key(" 8e03978e-40d5-43dd-bc93-6894a57f9324 "), "8e03978e-40d5-43dd-bc93-6894a57f9324");
  EXPECT_EQ(key("\"a b, c; \\\"d\\\\\""), "a b, c; \"d\\");
  EXPECT_EQ(key("\"a\";version=1"), "a");
}

TEST(IdempotencyKey, IsOneOfABoundedLength) {
  EXPECT_EQ(key(std::string(kMaxIdempotencyKey, 'x')), std::string(kMaxIdempotencyKey, 'x'));
  const std::string long_one(kMaxIdempotencyKey + 1, 'x');
  for (const std::string& wrong :
       {std::string(), std::string("\"\""), std::string("a, b"), std::string("\"a\", \"b\""),
        std::string("\"a"), std::string("\"a\\x\""), std::string("\"a\\"), std::string("a b"),
        std::string("a\"b"), std::string("a;b"), std::string("\"\xc3\xa4\""), std::string("\xc3\xa4"),
        long_one, "\"" + long_one + "\""})
    EXPECT_EQ(key(wrong), "-") << wrong;
}

}  // namespace
}  // namespace vas::api
