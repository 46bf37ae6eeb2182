#include "tls/handshake_budget.h"

#include <gtest/gtest.h>

namespace vas {
namespace {

IpAddress address(int number) {
  return *IpAddress::parse("10.0." + std::to_string(number / 250) + "." + std::to_string(1 + number % 250));
}

class HandshakeBudgetTest : public testing::Test {
 protected:
  int taken(const IpAddress& peer, int tries, Welcome welcome = Welcome::kStranger) {
    int taken = 0;
    for (int i = 0; i < tries; ++i) taken += budget_.draw(peer, welcome, now_) ? 1 : 0;
    return taken;
  }
  int taken_by_many(int addresses, int each) {
    int all = 0;
    for (int i = 0; i < addresses; ++i) all += taken(address(1000 + i), each);
    return all;
  }

  HandshakeBudget budget_{{.per_second = 100, .per_second_of_address = 10}};
  Time now_{std::chrono::seconds(1000)};
};

TEST_F(HandshakeBudgetTest, AnAddressHasTwiceItsRateAtOnceAndThenItsRate) {
  EXPECT_EQ(taken(address(1), 50), 20);
  now_ += std::chrono::seconds(1);
  EXPECT_EQ(taken(address(1), 50), 10);
  EXPECT_EQ(taken(address(2), 50), 20);
}

TEST_F(HandshakeBudgetTest, AnIpv6HolderHasOneBudget) {
  EXPECT_EQ(taken(*IpAddress::parse("2001:db8::1"), 15), 15);
  EXPECT_EQ(taken(*IpAddress::parse("2001:db8::ffff:2"), 15), 5);
}

TEST_F(HandshakeBudgetTest, ManyStrangersTogetherHaveHalfOfAll) {
  EXPECT_EQ(taken_by_many(1000, 5), 100);  // twice 50, at once
  now_ += std::chrono::seconds(1);
  EXPECT_EQ(taken_by_many(1000, 5), 50);
}

TEST_F(HandshakeBudgetTest, WhoHasProvedItselfOrIsTrustedIsNotHeldUpByStrangers) {
  budget_.prove(address(1));
  taken_by_many(1000, 5);
  EXPECT_EQ(taken(address(2), 1), 0);
  EXPECT_EQ(taken(address(1), 50), 20);
  EXPECT_EQ(taken(address(3), 50, Welcome::kTrusted), 50);
  EXPECT_EQ(taken(address(3), 50, Welcome::kTrusted), 30);  // the half that is theirs
}

TEST(HandshakeBudget, WhoHasProvedItselfMayHaveARateOfItsOwn) {
  const Time now{std::chrono::seconds(1000)};
  HandshakeBudget budget{{.per_second = 400, .per_second_of_address = 10, .per_second_of_proved = 60}};
  const auto taken = [&](const IpAddress& peer) {
    int count = 0;
    for (int i = 0; i < 500; ++i) count += budget.draw(peer, Welcome::kStranger, now) ? 1 : 0;
    return count;
  };
  EXPECT_EQ(taken(address(1)), 20);
  budget.prove(address(1));
  EXPECT_EQ(taken(address(1)), 120);
}

TEST_F(HandshakeBudgetTest, RefusalsOfOneAddressTakeNothingFromTheOthers) {
  taken(address(1), 100000);
  EXPECT_EQ(taken(address(2), 20), 20);
}

TEST_F(HandshakeBudgetTest, StrangersDoNotMakeItForgetWhoIsProved) {
  budget_.prove(address(1));
  taken_by_many(2 * HandshakeBudget::kMaxAddresses, 1);
  EXPECT_EQ(budget_.strangers(), HandshakeBudget::kMaxAddresses);
  EXPECT_EQ(taken(address(1), 1), 1);
}

TEST_F(HandshakeBudgetTest, WithoutALimitAllMayAndWhoIsNotWelcomeMayNever) {
  HandshakeBudget none{{.per_second = 0}};
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(none.draw(address(1), Welcome::kStranger, now_));
  EXPECT_FALSE(none.draw(address(1), Welcome::kNone, now_));
}

}  // namespace
}  // namespace vas
