#include "vas/sessions/session_registry.h"

#include <gtest/gtest.h>

namespace vas::sessions {
namespace {

class SessionRegistryTest : public testing::Test {
 protected:
  SessionRegistryTest() {
    registry_.add({.id = 5, .token = "t", .domain_id = 3, .created_at = WallTime(std::chrono::seconds(100))});
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
  const auto ttl = [](const Session&) { return Duration(std::chrono::seconds(10)); };
  EXPECT_TRUE(registry_.expired(WallTime(std::chrono::seconds(109)), ttl).empty());
  EXPECT_EQ(registry_.expired(WallTime(std::chrono::seconds(110)), ttl), std::vector<std::string>{"t"});
  registry_.find("t")->token_state = TokenState::kUsed;
  EXPECT_TRUE(registry_.expired(WallTime(std::chrono::seconds(999)), ttl).empty());
}

TEST_F(SessionRegistryTest, GivesNoIdTwice) { EXPECT_EQ(registry_.next_id(), 6); }

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
                        .callback = "http://x",
                        .routing_json = "{\"routes\":[]}"};
  const auto restored = parse_store_json(to_store_json(session));
  ASSERT_TRUE(restored);
  EXPECT_EQ(to_store_json(*restored), to_store_json(session));
  EXPECT_EQ(restored->token_state, TokenState::kFree);
  EXPECT_FALSE(parse_store_json("{}"));
}

}  // namespace
}  // namespace vas::sessions
