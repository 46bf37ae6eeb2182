#include "vas/sessions/session_registry.h"

#include <gtest/gtest.h>

namespace vas::sessions {
namespace {

class SessionRegistryTest : public testing::Test {
 protected:
  SessionRegistryTest() {
    registry_.add({.id = 5, .token = "t", .domain_id = 3, .expires_at = WallTime(std::chrono::seconds(110))});
  }
  SessionRegistry registry_;
  std::vector<PollOutcome> outcomes_;
};

TEST_F(SessionRegistryTest, WakesEveryWaiterOnce) {
  for (int i = 0; i < 2; ++i)
    registry_.wait("t", [this](PollOutcome outcome) { outcomes_.push_back(outcome); });
  registry_.wake("t", PollOutcome::kConnected);
  registry_.remove("t");
  EXPECT_EQ(outcomes_, (std::vector{PollOutcome::kConnected, PollOutcome::kConnected}));
}

TEST_F(SessionRegistryTest, TellsWaitersWhenTheSessionGoesAndForgetsWhoLeft) {
  registry_.wait("t", [this](PollOutcome outcome) { outcomes_.push_back(outcome); });
  const auto ticket = registry_.wait("t", [](PollOutcome) { FAIL() << "it left"; });
  registry_.leave("t", *ticket);
  registry_.remove("t");
  EXPECT_EQ(outcomes_, std::vector{PollOutcome::kGone});
  EXPECT_EQ(registry_.find("t"), nullptr);
}

TEST_F(SessionRegistryTest, BoundsTheWaitersOfOneSession) {
  for (std::size_t i = 0; i < SessionRegistry::kMaxWaiters; ++i)
    EXPECT_TRUE(registry_.wait("t", [](PollOutcome) {}));
  EXPECT_FALSE(registry_.wait("t", [](PollOutcome) {}));
  EXPECT_FALSE(registry_.wait("unknown", [](PollOutcome) {}));
}

TEST_F(SessionRegistryTest, ExpiresOnlyWhatNobodyDialled) {
  registry_.add(
      {.id = 6, .token = "dialled", .domain_id = 3, .expires_at = WallTime(std::chrono::seconds(110))});
  registry_.find("dialled")->token_state = TokenState::kUsed;
  EXPECT_TRUE(registry_.pop_expired(WallTime(std::chrono::seconds(109))).empty());
  EXPECT_EQ(registry_.pop_expired(WallTime(std::chrono::seconds(110))), std::vector<std::string>{"t"});
  EXPECT_TRUE(registry_.pop_expired(WallTime(std::chrono::seconds(999))).empty());
}

TEST_F(SessionRegistryTest, CountsTheSessionsOfADomain) {
  registry_.add({.id = 6, .token = "u", .domain_id = 3});
  registry_.add({.id = 7, .token = "v", .domain_id = 4});
  EXPECT_EQ(registry_.size_of_domain(3), 2u);
  registry_.remove("u");
  registry_.remove("v");
  registry_.remove("unknown");
  EXPECT_EQ(registry_.size_of_domain(3), 1u);
  EXPECT_EQ(registry_.size_of_domain(4), 0u);
}

TEST_F(SessionRegistryTest, GivesNoIdTwiceNotEvenInTheNextProcess) {
  const WallTime now(std::chrono::seconds(1'700'000'000));
  const std::int64_t first = registry_.next_id(now);
  EXPECT_EQ(registry_.next_id(now), first + 1);
  EXPECT_GT(SessionRegistry().next_id(now + std::chrono::milliseconds(1)), first + 1);
  EXPECT_LT(first, std::int64_t{1} << 53);
}

TEST(Session, SurvivesTheStore) {
  const Session session{.id = 9,
                        .token = "abc",
                        .domain_id = 3,
                        .domain = "d",
                        .subscriber_id = 4,
                        .msisdn = "1",
                        .direction = Direction::kIncoming,
                        .remote = "2",
                        .time_limit_s = 60,
                        .expires_at = WallTime(std::chrono::seconds(5)),
                        .callback = "http://x",
                        .routing_json = "{\"routes\":[]}",
                        .call_ids = {"a", "b"},
                        .last_error = "e"};
  const auto restored = parse_store_json(to_store_json(session));
  ASSERT_TRUE(restored);
  EXPECT_EQ(to_store_json(*restored), to_store_json(session));
  EXPECT_EQ(restored->token_state, TokenState::kFree);
  EXPECT_FALSE(parse_store_json("{}"));
}

}  // namespace
}  // namespace vas::sessions
