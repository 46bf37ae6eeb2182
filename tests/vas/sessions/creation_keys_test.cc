#include "vas/sessions/creation_keys.h"

#include <gtest/gtest.h>

#include "vas/sessions/session_registry.h"

namespace vas::sessions {
namespace {

constexpr WallTime kStart{std::chrono::hours(1)};

class CreationKeysTest : public testing::Test {
 protected:
  static Session made(const std::string& key, std::int64_t domain = 3, WallTime at = kStart) {
    return {.token = "token of " + key, .domain_id = domain, .modified_at = at, .made_by = {key, "asked"}};
  }
  std::string token_of(const std::string& key, WallTime now = kStart) {
    const auto* found = keys_.find(key, now);
    return found == nullptr ? "unknown" : found->token.empty() ? "over" : found->token;
  }
  CreationKeys keys_;
};

TEST_F(CreationKeysTest, KnowTheSessionWhileItLivesAndADayAfter) {
  keys_.add(made("k"));
  EXPECT_EQ(token_of("k", kStart + std::chrono::hours(1000)), "token of k");
  EXPECT_EQ(keys_.find("k", kStart)->request, "asked");
  keys_.end(made("k"));
  EXPECT_EQ(token_of("k", kStart + CreationKeys::kMemory - std::chrono::milliseconds(1)), "over");
  EXPECT_EQ(token_of("k", kStart + CreationKeys::kMemory), "unknown");
  keys_.sweep(kStart + CreationKeys::kMemory);
  EXPECT_EQ(token_of("k"), "unknown");
}

TEST_F(CreationKeysTest, KnowNothingOfASessionThatWasNotMadeAfterAll) {
  keys_.add(made("k"));
  keys_.drop(made("k"));
  EXPECT_EQ(token_of("k"), "unknown");
  keys_.add({.token = "without a key", .domain_id = 3});
  EXPECT_EQ(token_of(""), "unknown");
}

TEST_F(CreationKeysTest, KeepTheFirstSessionOfTwoThatOtherNodesMadeAtOnce) {
  keys_.add(made("k"));
  Session other = made("k");
  other.token = "other";
  keys_.add(other);
  keys_.end(other);
  EXPECT_EQ(token_of("k"), "token of k");
}

TEST_F(CreationKeysTest, ForgetADomainsOldestWhereItHasTooMany) {
  for (std::size_t i = 0; i <= CreationKeys::kMaxEndedOfDomain; ++i) {
    const Session session = made(std::to_string(i));
    keys_.add(session);
    keys_.end(session);
  }
  EXPECT_EQ(token_of("0"), "unknown");
  EXPECT_EQ(token_of("1"), "over");
  keys_.add(made("of another", 4));
  keys_.end(made("of another", 4));
  EXPECT_EQ(token_of("of another"), "over");
  EXPECT_EQ(token_of("1"), "over") << "each domain has its own";
}

TEST_F(CreationKeysTest, MayBeUsedAnewWhenTheyAreForgotten) {
  keys_.add(made("k"));
  keys_.end(made("k"));
  const WallTime later = kStart + CreationKeys::kMemory;
  keys_.add(made("k", 3, later));
  EXPECT_EQ(token_of("k", later), "token of k");
  keys_.sweep(later);
  EXPECT_EQ(token_of("k", later), "token of k");
  keys_.end(made("k", 3, later));
  EXPECT_EQ(token_of("k", later), "over");
}

TEST(SessionRegistryKeys, GoWithTheSessionThatCouldNotBeStoredAndStayWithOneThatIsOver) {
  SessionRegistry registry;
  registry.add({.id = 1, .token = "a", .domain_id = 3, .modified_at = kStart, .made_by = {"k", "asked"}});
  registry.revoke("a");
  EXPECT_EQ(registry.creation_keys().find("k", kStart), nullptr);
  EXPECT_EQ(registry.size(), 0u);
  registry.add({.id = 2, .token = "b", .domain_id = 3, .modified_at = kStart, .made_by = {"k", "asked"}});
  registry.remove("b");
  EXPECT_EQ(registry.creation_keys().find("k", kStart)->token, "");
}

TEST(SessionRegistryBytes, AreCountedAnewWhereTheTextsChange) {
  SessionRegistry registry;
  Session* session = registry.add({.id = 1, .token = "a", .domain_id = 3});
  const std::size_t before = registry.bytes();
  session->callback = std::string(1000, 'x');
  registry.count_anew("a");
  EXPECT_EQ(registry.bytes(), before + 1000);
  EXPECT_EQ(registry.use_of(3).bytes, before + 1000);
  registry.remove("a");
  EXPECT_EQ(registry.bytes(), 0u);
}

TEST(Session, IsStoredWithWhatMadeItAndTellsNobody) {
  Session session{.id = 7, .token = "t", .call_timeout_s = 15, .events_sent = 2, .made_by = {"key", "asked"}};
  const auto again = parse_store_json(to_store_json(session));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->made_by.key, "key");
  EXPECT_EQ(again->made_by.request, "asked");
  EXPECT_EQ(again->call_timeout_s, 15);
  EXPECT_EQ(to_json(session).find("asked"), std::string::npos);
}

TEST(Session, EventsAreKnownByNoSecret) {
  Session session{.id = 7, .token = "0123456789abcdef", .events_sent = 1};
  EXPECT_EQ(event_id(session), "7-1");
  EXPECT_NE(to_callback_json(session, "updated", "").find(R"("eventId":"7-1")"), std::string::npos);
  session.events_sent = 10;
  EXPECT_EQ(event_id(session), "7-10");
}

}  // namespace
}  // namespace vas::sessions
