#include "vas/calls/call_instructions.h"

#include <gtest/gtest.h>

namespace vas::calls {
namespace {

TEST(CallInstructions, ParkRejectAndRoute) {
  EXPECT_EQ(parse_call_instructions(" \n")->what.outcome, BackendOutcome::kPark);
  EXPECT_EQ(parse_call_instructions(R"({"action":"park","session":"abc"})")->session, "abc");
  EXPECT_EQ(parse_call_instructions(R"({"action":"reject"})")->what.code, 603);
  EXPECT_EQ(parse_call_instructions(R"({"action":"reject","code":486})")->what.code, 486);
  const auto route = parse_call_instructions(
      R"({"action":"route","routing":{"routes":[{"termination_ip":"192.0.2.1","termination_number":"1"}]}})");
  EXPECT_EQ(route->what.outcome, BackendOutcome::kRoute);
  EXPECT_EQ(route->what.plan.routes.size(), 1u);
}

TEST(CallInstructions, SaysWhichFieldIsWrong) {
  for (const auto& [text, word] : {std::pair{"[]", "object"},
                                   {"nonsense", "object"},
                                   {R"({})", "`action`"},
                                   {R"({"action":"dance"})", "`action`"},
                                   {R"({"action":"reject","code":200})", "`code`"},
                                   {R"({"action":"reject","code":"486"})", "`code`"},
                                   {R"({"action":"route"})", "`routing`"},
                                   {R"({"action":"route","routing":{"routes":[{}]}})", "termination_ip"}}) {
    const auto instructions = parse_call_instructions(text);
    ASSERT_FALSE(instructions) << text;
    EXPECT_NE(instructions.error().find(word), std::string::npos) << instructions.error();
  }
}

}  // namespace
}  // namespace vas::calls
