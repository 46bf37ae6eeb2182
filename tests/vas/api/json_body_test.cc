#include "vas/api/json_body.h"

#include <gtest/gtest.h>

namespace vas::api {
namespace {

std::string fault(std::string_view text) {
  const auto body = parse_body(text);
  return body ? "" : body.error();
}

std::string place(std::string_view text) {
  const std::string sentence = fault(text);
  const auto at = sentence.rfind(" at ");
  return at == std::string::npos ? sentence : sentence.substr(at + 4);
}

TEST(JsonBody, IsAnObject) {
  const auto body = parse_body(" {\"a\": [1, null]}\n");
  ASSERT_TRUE(body);
  EXPECT_EQ(body->at("a").as_array().size(), 2u);
  for (const char* wrong : {"[]", "5", "\"text\"", "null", "true "})
    EXPECT_EQ(fault(wrong), "The body is not a JSON object.") << wrong;
}

TEST(JsonBody, FaultHasItsLineAndColumn) {
  EXPECT_EQ(fault("{\"a\": 1,}").find("The body is not JSON: "), 0u);
  EXPECT_EQ(place("{\"a\": 1,}"), "line 1, column 9.");
  EXPECT_EQ(place("{\n  \"destination\": \"1\",\n  \"timeLimit\": 5x\n}\n"), "line 3, column 17.");
  EXPECT_EQ(place("{\r\n\"a\": tru\r\n}"), "line 2, column 6.") << "a word that is none: where it begins";
  EXPECT_EQ(place("{\"ä\": \"ö\", b}"), "line 1, column 12.") << "characters, not bytes";
  EXPECT_EQ(place("x"), "line 1, column 1.");
  EXPECT_EQ(place("{} {}"), "line 1, column 4.") << "more than one value";
}

TEST(JsonBody, WhatIsCutOffEndsWhereItIsCut) {
  const std::string_view whole = "{\"a\": [1, \"b\\u0041\"], \"c\": null}";
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(place(whole.substr(0, size)), "line 1, column " + std::to_string(size + 1) + ".");
}

TEST(JsonBody, NestingHasAnEnd) {
  const auto nested = [](std::size_t levels) {
    std::string text;
    for (std::size_t i = 0; i < levels; ++i) text += "{\"a\":";
    return text + "1" + std::string(levels, '}');
  };
  EXPECT_TRUE(parse_body(nested(kMaxJsonDepth)));
  EXPECT_EQ(fault(nested(kMaxJsonDepth + 1)), "The body is nested over 32 levels deep.");
}

}  // namespace
}  // namespace vas::api
