#include "base/match.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace vas {
namespace {

using Value = std::variant<std::monostate, int, std::string, std::unique_ptr<int>>;

std::string name_of(const Value& value) {
  return match(
      value, [](const std::monostate&) { return std::string("nothing"); },
      [](const int& number) { return std::to_string(number); }, [](const std::string& text) { return text; },
      [](const std::unique_ptr<int>&) { return std::string("a pointer"); });
}

TEST(Match, CallsTheHandlerOfWhatIsHeldAndReturnsItsAnswer) {
  EXPECT_EQ(name_of({}), "nothing");
  EXPECT_EQ(name_of(5), "5");
  EXPECT_EQ(name_of("text"), "text");
  EXPECT_EQ(name_of(std::make_unique<int>(1)), "a pointer");
}

TEST(Match, LetsAHandlerChangeWhatIsHeld) {
  Value value(1);
  match(
      value, [](int& number) { ++number; }, ignoring<std::monostate, std::string, std::unique_ptr<int>>);
  EXPECT_EQ(std::get<int>(value), 2);
}

TEST(Match, HandsOnWhatMayBeMovedFrom) {
  std::unique_ptr<int> taken;
  match(
      Value(std::make_unique<int>(3)), [&](std::unique_ptr<int>&& pointer) { taken = std::move(pointer); },
      ignoring<std::monostate, int, std::string>);
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(*taken, 3);
}

}  // namespace
}  // namespace vas
