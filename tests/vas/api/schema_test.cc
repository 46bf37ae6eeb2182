#include "vas/api/schema.h"

#include <gtest/gtest.h>

#include "vas/api/open_api.h"

namespace vas::api {
namespace {

namespace json = boost::json;

std::string fault(std::string_view schema, std::string_view value, const std::string& name = "x") {
  const json::object document{
      {"components", json::object{{"schemas", json::object{{"Word", {{"type", "string"}}}}}}}};
  return Schema(json::parse(schema).as_object(), document).fault_of(json::parse(value), name).value_or("");
}

TEST(Schema, SaysWhatANumberMustBe) {
  const char* schema = R"({"type":["integer","null"],"minimum":1,"maximum":86400})";
  for (const char* good : {"1", "86400", "null"}) EXPECT_EQ(fault(schema, good), "") << good;
  for (const char* bad : {"0", "86401", "1.5", "\"1\"", "true", "[]", "18446744073709551615", "1e3"})
    EXPECT_EQ(fault(schema, bad), "`x` must be a whole number from 1 to 86400, or null.") << bad;
}

TEST(Schema, ChecksTextByLengthPatternAndChoice) {
  const char* schema = R"({"type":"string","minLength":1,"maxLength":3,"pattern":"^[^\\u0000-\\u001f]*$"})";
  EXPECT_EQ(fault(schema, R"("äöü")"), "");
  EXPECT_EQ(fault(schema, R"("")"), "`x` is empty: it must be text of 1 to 3 characters.");
  EXPECT_EQ(fault(schema, R"("abcd")"), "`x` is too long: it must be text of 1 to 3 characters.");
  EXPECT_EQ(fault(schema, R"("a\r\n")"),
            "`x` has characters that do not belong in it: it must be text of 1 to 3 characters.");
  EXPECT_EQ(fault(R"({"type":"string","enum":["a","b"]})", R"("c")"),
            "`x` is none of the words that it may be: it must be one of a, b.");
}

TEST(Schema, NamesMissingUnknownAndNestedFields) {
  const char* schema =
      R"({"type":"object","additionalProperties":false,"required":["a"],"properties":{"a":{"type":"string"},
    "list":{"type":"array","maxItems":2,"items":{"$ref":"#/components/schemas/Word"}}}})";
  EXPECT_EQ(fault(schema, R"({})", ""), "`a` is missing.");
  EXPECT_EQ(fault(schema, R"({"a":"","b":1})", ""),
            "`b` is not a field of this request; those are `a`, `list`.");
  EXPECT_EQ(fault(schema, R"({"a":"","list":["",5]})", ""), "`list[1]` must be text.");
  EXPECT_EQ(fault(schema, R"({"a":"","list":["","",""]})", ""),
            "`list` has 3 elements: it may have up to 2.");
  EXPECT_EQ(fault(schema, "[]", ""), "The body must be an object.");
}

TEST(OpenApi, MatchesLiteralSegmentsBeforeParameters) {
  const OpenApi document;
  const auto id = [&](std::string_view method, std::vector<std::string> path) {
    const auto matched = document.match(method, path);
    const auto* found = std::get_if<Matched>(&matched);
    return found != nullptr ? found->operation->id : std::string();
  };
  EXPECT_EQ(id("GET", {"calls", "d", "sessions", "t"}), "getSession");
  EXPECT_EQ(id("GET", {"calls", "d", "outgoing", "1", "t"}), "getOutgoingSession");
  EXPECT_EQ(id("GET", {"calls", "d", "sessions", ""}), "");
  EXPECT_EQ(id("HEAD", {"calls", "d", "sessions", "t"}), "getSession");
  EXPECT_EQ(id("HEAD", {"calls", "d", "ringing", "1", "t"}), "") << "it would wait, and say that it rings";
  EXPECT_EQ(id("HEAD", {"calls", "d", "outgoing", "1"}), "");
  const auto wrong = document.match("PUT", {"calls", "d", "sessions", "t"});
  EXPECT_EQ(std::get<NoSuchMethod>(wrong).allowed, "GET, HEAD, PATCH, DELETE");
  EXPECT_TRUE(std::holds_alternative<NoSuchPath>(document.match("GET", {"nothing"})));
}

}  // namespace
}  // namespace vas::api
