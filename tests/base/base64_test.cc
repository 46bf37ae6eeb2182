#include "base/base64.h"

#include <gtest/gtest.h>

namespace vas {
namespace {

// RFC 4648 §10
TEST(Base64, IsThatOfTheRfcsExamples) {
  const std::pair<const char*, const char*> examples[] = {{"f", "Zg=="},         {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},       {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [text, encoded] : examples) {
    EXPECT_EQ(to_base64(as_bytes(text)), encoded);
    const auto bytes = from_base64(encoded);
    ASSERT_TRUE(bytes) << encoded;
    EXPECT_EQ(as_text(*bytes), text);
  }
  EXPECT_EQ(to_base64({}), "");
}

TEST(Base64, ReadsOneSpellingAlone) {
  for (const char* wrong :
       {"", "Zg", "Zg=", "Zh==", "Zg==\n", " Zg==", "Z===", "====", "Zm9-", "Zm 9v", "Zg==Zg=="})
    EXPECT_FALSE(from_base64(wrong)) << wrong;
}

}  // namespace
}  // namespace vas
