#include "base/json.h"

#include <gtest/gtest.h>

namespace vas {
namespace {

namespace json = boost::json;

TEST(Json, NumbersThatPeopleReadHaveNoExponent) {
  for (const auto& [number, text] : {std::pair(0.000001, "0.000001"),
                                     {-0.0000012, "-0.0000012"},
                                     {0.0, "0.0"},
                                     {3.01, "3.01"},
                                     {1234567.891, "1234567.891"},
                                     {61.0, "61.0"}})
    EXPECT_EQ(to_text(boost::json::value(number)), text);
}

TEST(Json, IsWrittenAsPeopleReadIt) {
  const char* text =
      R"({"a":0.02,"b":[1,-2,18446744073709551615,1.5,100.0,true,false,null],"c":{},"d":[],"e":"ä"})";
  EXPECT_EQ(to_text(json::parse(text)), text);
}

TEST(Json, ComesBackTheSame) {
  for (const char* text : {R"("\"\\\b\f\n\r\t\u0000\u001f\u007f/ü")", "1e300", "-1.7976931348623157e308",
                           "5e-324", "0.1", "-0.0", R"({"":{"":[[[]]]}})"}) {
    const json::value value = json::parse(text);
    EXPECT_EQ(json::parse(to_text(value)), value) << text;
  }
}

TEST(Json, IsWellFormedWhateverAStringHolds) {
  EXPECT_EQ(to_text(json::value("a\xff\xc3z")), R"("a\\xff\\xc3z")");
  EXPECT_EQ(to_text(json::value("\xed\xa0\x80")), R"("\\xed\\xa0\\x80")");
  EXPECT_EQ(to_text(json::value("\x1b[1m\x7f\xc2\x9b\n")), R"("\u001b[1m\u007f\u009b\n")");
  EXPECT_EQ(to_text(json::object{{"k\xff", 1}}), R"({"k\\xff":1})");
}

TEST(Json, StaysReadableWhateverNumberWasRead) {
  for (const char* text : {"1e308", "1e309", "-1e400", "1e-400", "123456789012345678901234567890", "1E+5"}) {
    boost::system::error_code failure;
    const json::value value = json::parse(text, failure);
    if (failure) continue;
    EXPECT_NO_THROW(json::parse(to_text(value))) << text;
  }
}

}  // namespace
}  // namespace vas
