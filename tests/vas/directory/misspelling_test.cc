#include "vas/directory/misspelling.h"

#include <gtest/gtest.h>

#include "vas/directory/directory.h"

namespace vas::directory {
namespace {

const std::vector<std::string_view> kKnown = {
    "call-timeout", "session-ttl", "webhook-secret", "max-calls", "max-calls-per-second", "symmetric", "ice"};

std::string meant(std::string_view name) { return std::string(name_meant(name, kKnown).value_or("-")); }

TEST(Misspelling, IsAKnownNameInAnotherDressOrWithALetterOrTwoWrong) {
  for (const char* name :
       {"callTimeout", "call_timeout", "Call-Timeout", "call-timout", "call-tiemout", "cal-timeouts"})
    EXPECT_EQ(meant(name), "call-timeout") << name;
  EXPECT_EQ(meant("webhookSecret"), "webhook-secret");
  EXPECT_EQ(meant("max-call"), "max-calls");
  EXPECT_EQ(meant("sesion-tttl"), "session-ttl");
  EXPECT_EQ(meant("icee"), "ice");
}

TEST(Misspelling, NamesOfOthersAreNone) {
  for (const char* name :
       {"billing-plan", "timeout", "calls", "colour", "id", "i", "", "call-waiting", "icing"})
    EXPECT_EQ(meant(name), "-") << name;
  EXPECT_EQ(meant(std::string(100'000, 'c')), "-");
}

TEST(Misspelling, OfAProfileIsFoundWhereItIsRead) {
  const auto entry = parse_entry(
      Kind::kDomain,
      R"({"id":3,"tenantId":1,"name":"d.example","profile":{"call-timout":9,"colour":"red","session-ttl":5}})");
  ASSERT_TRUE(entry) << entry.error();
  const auto& misspelt = std::get<Domain>(*entry).profile.misspelt;
  ASSERT_EQ(misspelt.size(), 1u);
  EXPECT_EQ(misspelt[0].given, "call-timout");
  EXPECT_EQ(misspelt[0].meant, "call-timeout");
  EXPECT_NE(to_json(*entry).find(R"("call-timout":9)"), std::string::npos) << "it is returned as it came";
}

}  // namespace
}  // namespace vas::directory
