#include "vas/webhooks/outbox.h"

#include <gtest/gtest.h>

namespace vas::webhooks {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class OutboxTest : public testing::Test {
 protected:
  void add(const std::string& token, int number, const std::string& url = "http://a.example/x") {
    EXPECT_TRUE(outbox_.add({.id = token + "-" + std::to_string(number),
                             .token = token,
                             .number = number,
                             .url = url,
                             .created_at = wall()},
                            now_));
  }
  std::vector<std::string> due() {
    std::vector<std::string> ids;
    for (const Event* each : outbox_.pop_due(now_)) ids.push_back(each->id);
    return ids;
  }
  Fate answer(const std::string& id, int status) {
    return outbox_.replied(id, {.status = status}, now_, wall(), 1.0, event_);
  }
  WallTime wall() const {
    return WallTime(std::chrono::duration_cast<milliseconds>(now_.time_since_epoch()));
  }
  using Ids = std::vector<std::string>;

  Outbox outbox_;
  Time now_{hours(1)};
  Event event_;
};

TEST_F(OutboxTest, SendsTheEventsOfOneSessionOneAfterTheOther) {
  add("s", 1);
  add("s", 2);
  add("t", 1);
  EXPECT_EQ(due(), (Ids{"s-1", "t-1"}));
  EXPECT_EQ(answer("s-1", 204), Fate::kDelivered);
  EXPECT_EQ(due(), Ids{"s-2"});
  EXPECT_TRUE(due().empty());
}

TEST_F(OutboxTest, TriesAgainWithGrowingPausesAndKeepsTheOrder) {
  add("s", 1);
  add("s", 2);
  for (const int pause : {1, 2, 4, 8}) {
    EXPECT_EQ(due(), Ids{"s-1"});
    EXPECT_EQ(answer("s-1", 404), Fate::kTriedAgain);
    EXPECT_EQ(outbox_.next_due(), now_ + seconds(pause));
    now_ += seconds(pause) - milliseconds(1);
    EXPECT_TRUE(due().empty());
    now_ += milliseconds(1);
  }
  EXPECT_EQ(due(), Ids{"s-1"});
  answer("s-1", 200);
  EXPECT_EQ(due(), Ids{"s-2"});
}

TEST_F(OutboxTest, GivesUpAfterADayOrWhenTheEndpointIsGoneAndGoesOnWithTheNext) {
  add("s", 1);
  add("s", 2);
  add("s", 3);
  due();
  now_ += hours(24);
  EXPECT_EQ(answer("s-1", 500), Fate::kDead);
  EXPECT_EQ(event_.id, "s-1");
  EXPECT_EQ(due(), Ids{"s-2"});
  EXPECT_EQ(answer("s-2", 410), Fate::kDead);
  due();
  EXPECT_EQ(outbox_.replied("s-3", {.is_refused = true}, now_, wall(), 0.5, event_), Fate::kDead);
  EXPECT_EQ(outbox_.size(), 0u);
}

TEST_F(OutboxTest, BreaksForAnEndpointThatHangsAndLetsOneProbeThrough) {
  for (int i = 0; i < 20; ++i) add("s" + std::to_string(i), 1);
  const Ids first = due();
  EXPECT_EQ(first.size(), 4u) << "a new endpoint gets few at once";
  for (const std::string& id : first) answer(id, 0);
  const Ids second = due();
  ASSERT_EQ(second.size(), 4u);
  answer(second[0], 0);
  EXPECT_EQ(outbox_.broken_endpoints(), 1u);
  for (std::size_t i = 1; i < second.size(); ++i) answer(second[i], 0);
  EXPECT_TRUE(due().empty()) << "the breaker is open";

  now_ = outbox_.next_due();
  const Ids probe = due();
  ASSERT_EQ(probe.size(), 1u);
  answer(probe[0], 200);
  EXPECT_EQ(outbox_.broken_endpoints(), 0u);
  EXPECT_GT(due().size(), 1u);
}

TEST_F(OutboxTest, AHangingEndpointHoldsUpNoOther) {
  for (int i = 0; i < 500; ++i) {
    const std::string url = "http://hangs" + std::to_string(i) + ".example/";
    for (int j = 0; j < 20; ++j) add("h" + std::to_string(i) + "x" + std::to_string(j), 1, url);
  }
  EXPECT_EQ(due().size(), 2000u);
  add("good", 1, "http://good.example/");
  EXPECT_EQ(due(), Ids{"good-1"});
}

TEST_F(OutboxTest, RefusesMoreThanItsBoundAndThanTheDomainsPartOfIt) {
  for (std::size_t i = 0; i < Outbox::kMaxEventsOfDomain; ++i) add("s" + std::to_string(i), 1);
  EXPECT_FALSE(outbox_.add({.id = "one too many", .token = "x"}, now_));
  for (std::size_t i = outbox_.size(); i < Outbox::kMaxEvents; ++i) {
    const std::string token = "t" + std::to_string(i);
    ASSERT_TRUE(outbox_.add({.id = token, .token = token, .domain_id = 4, .url = "http://a.example"}, now_));
  }
  EXPECT_FALSE(outbox_.add({.id = "one too many", .token = "x", .domain_id = 5}, now_)) << "all is taken";
}

TEST(Endpoint, IsSchemeHostAndPortWithoutWhoAsks) {
  EXPECT_EQ(endpoint_of("HTTPS://User:pw@App.Example:8443/a?b#c"), "https://app.example:8443");
  EXPECT_EQ(endpoint_of("http://x"), "http://x");
  EXPECT_EQ(endpoint_of("http://[::1]:80/"), "http://[::1]:80");
}

}  // namespace
}  // namespace vas::webhooks
