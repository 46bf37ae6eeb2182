#include "base/text.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace vas {
namespace {

TEST(Text, FindsParametersBehindSemicolons) {
  EXPECT_EQ(parameter("SIP/2.0/UDP h;rport;branch=z9 ;x=", "branch"), "z9");
  EXPECT_EQ(parameter("a;RPORT", "rport"), "");
  EXPECT_FALSE(parameter("rport=1", "rport"));
}

TEST(Text, ParsesWholeNumbersOnly) {
  EXPECT_EQ(parse_number<int>("42"), 42);
  for (const char* text : {"", "4x", " 4", "99999999999999"}) EXPECT_FALSE(parse_number<int>(text)) << text;
  EXPECT_FALSE(parse_number<std::uint8_t>("256"));
}

TEST(Text, SplitsAndTrims) {
  EXPECT_EQ(split("a,,b", ',').size(), 3u);
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_TRUE(has_control_characters("a\rb"));
  EXPECT_FALSE(has_control_characters("a b"));
}

TEST(Clock, WritesRfc3339WithMilliseconds) {
  EXPECT_EQ(to_rfc3339(WallTime(std::chrono::milliseconds(1'700'000'000'007))), "2023-11-14T22:13:20.007Z");
}

TEST(Text, KnowsUtf8FromWhatOnlyLooksLikeIt) {
  for (const char* good :
       {"", "abc", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x93\x9e", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_utf8(good)) << good;
  for (const char* bad : {"\x80", "\xc3", "\xc3(", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xe2\x82",
                          "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"})
    EXPECT_FALSE(is_utf8(bad));
}

TEST(Text, ShowsWhatIsNotPrintableAsItsBytes) {
  for (const char* good : {"", "a", "J\xc3\xb6rg and eight more", "\xc2\xa0", "\xe2\x82\xac", "12345678~"}) {
    EXPECT_TRUE(is_printable(good)) << good;
    EXPECT_EQ(printable(good), good);
  }
  EXPECT_EQ(printable("12345678\x1b[31m"), "12345678\\x1b[31m");
  EXPECT_EQ(printable(std::string_view("a\0b\r\n\x7f", 6)), "a\\x00b\\x0d\\x0a\\x7f");
  EXPECT_EQ(printable("\xc2\x9b\xff\xe2\x82"), "\\xc2\\x9b\\xff\\xe2\\x82");
  EXPECT_EQ(with_stand_ins("a\xff\xc2\x9b\nz", '?'), "a????z");
}

TEST(Text, FindsWhatIsNotPrintableWhereverItStands) {
  for (std::size_t at = 0; at < 20; ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string text(20, 'x');
      text[at] = static_cast<char>(byte);
      EXPECT_EQ(printable_prefix(text) == 20, byte >= 0x20 && byte < 0x7f) << at << " " << byte;
    }
  }
}

}  // namespace
}  // namespace vas
