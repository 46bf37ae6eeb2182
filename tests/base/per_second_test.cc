#include "base/per_second.h"

#include <gtest/gtest.h>

namespace vas {
namespace {

using namespace std::chrono_literals;

const Time kStart{std::chrono::hours(1)};

TEST(PerSecond, LetsSoManyThroughInEachWindow) {
  PerSecond budget(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(budget.draw(kStart + i * 100ms));
  EXPECT_FALSE(budget.draw(kStart + 999ms));
  EXPECT_TRUE(budget.draw(kStart + 1s));
  EXPECT_TRUE(budget.draw(kStart + 1s));
}

TEST(PerSecond, AWindowBeginsWithWhatComesFirst) {
  PerSecond budget(1);
  EXPECT_TRUE(budget.draw(kStart + 700ms));
  EXPECT_FALSE(budget.draw(kStart + 1600ms));
  EXPECT_TRUE(budget.draw(kStart + 1700ms));
}

TEST(PerSecond, AskingTakesNothing) {
  PerSecond budget(1);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(budget.has_room(kStart));
  EXPECT_TRUE(budget.draw(kStart));
  EXPECT_FALSE(budget.has_room(kStart));
}

}  // namespace
}  // namespace vas
