#include "vas/calls/call_quota.h"

#include <gtest/gtest.h>

#include <array>

namespace vas::calls {
namespace {

using Kind = CallQuota::Kind;
using Verdict = CallQuota::Verdict;
using Holder = CallQuota::Holder;
const Time kBegin{std::chrono::hours(1)};

TEST(CallQuota, GrantsAsManyCallsAsAHolderMayHave) {
  CallQuota quota;
  const std::array holders = {Holder{Kind::kDomain, 3, 2, 0}};
  EXPECT_EQ(quota.claim(holders, kBegin).verdict, Verdict::kGranted);
  EXPECT_EQ(quota.claim(holders, kBegin).verdict, Verdict::kGranted);
  EXPECT_EQ(quota.claim(holders, kBegin).verdict, Verdict::kTooMany);
  EXPECT_EQ(quota.calls_of(Kind::kDomain, 3), 2u);
  quota.give_back(holders);
  EXPECT_EQ(quota.claim(holders, kBegin).verdict, Verdict::kGranted);
}

TEST(CallQuota, ACallIsHeldByAllOrByNone) {
  CallQuota quota;
  const std::array both = {Holder{Kind::kDomain, 3, 10, 5}, Holder{Kind::kTrunk, 7, 1, 5}};
  EXPECT_EQ(quota.claim(both, kBegin).verdict, Verdict::kGranted);
  const auto answer = quota.claim(both, kBegin);
  EXPECT_EQ(answer.verdict, Verdict::kTooMany);
  EXPECT_EQ(answer.kind, Kind::kTrunk);
  EXPECT_EQ(quota.calls_of(Kind::kDomain, 3), 1u) << "the domain lost nothing by it";
  const std::array domain = {both[0]};
  for (int i = 0; i < 9; ++i)
    EXPECT_EQ(quota.claim(domain, kBegin).verdict, Verdict::kGranted) << "nor of its rate";
}

TEST(CallQuota, CountsCallsASecondAndLetsTwiceAsManyThroughAtOnce) {
  CallQuota quota;
  const std::array holders = {Holder{Kind::kTrunk, 7, 0, 10}};
  for (int i = 0; i < 20; ++i) EXPECT_EQ(quota.claim(holders, kBegin).verdict, Verdict::kGranted) << i;
  EXPECT_EQ(quota.claim(holders, kBegin).verdict, Verdict::kTooFast);
  EXPECT_EQ(quota.claim(holders, kBegin + std::chrono::milliseconds(101)).verdict, Verdict::kGranted);
  EXPECT_EQ(quota.claim(holders, kBegin + std::chrono::milliseconds(102)).verdict, Verdict::kTooFast);
  const Time later = kBegin + std::chrono::hours(1);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(quota.claim(holders, later).verdict, Verdict::kGranted);
  EXPECT_EQ(quota.claim(holders, later).verdict, Verdict::kTooFast) << "an hour of silence saves no more";
}

TEST(CallQuota, ForgetsWhoHasNoCallsOnceItsBucketIsFullAgain) {
  CallQuota quota;
  for (std::int64_t id = 0; id < 5000; ++id) {
    const std::array one = {Holder{Kind::kDomain, id, 0, 10}};
    quota.claim(one, kBegin);
    if (id != 3) quota.give_back(one);
  }
  EXPECT_EQ(quota.size(), 5000u) << "their rates are remembered";
  const std::array another = {Holder{Kind::kDomain, 9999, 0, 10}};
  quota.claim(another, kBegin + std::chrono::seconds(3));
  EXPECT_EQ(quota.size(), 2u) << "the one with a call, and the new one";
  ASSERT_EQ(quota.busiest(Kind::kDomain, 10).size(), 2u);
  EXPECT_EQ(quota.busiest(Kind::kDomain, 1).size(), 1u);
}

TEST(CallQuota, GivingBackTwiceIsHarmless) {
  CallQuota quota;
  const std::array holders = {Holder{Kind::kDomain, 3, 1, 0}};
  quota.claim(holders, kBegin);
  quota.give_back(holders);
  quota.give_back(holders);
  EXPECT_EQ(quota.claim(holders, kBegin).verdict, Verdict::kGranted);
  EXPECT_EQ(quota.claim(holders, kBegin).verdict, Verdict::kTooMany);
}

TEST(ShareOfCalls, OneOfSeveralNeverHasAllOfALargeNode) {
  EXPECT_EQ(share_of_calls(2500, false), 1875);
  EXPECT_EQ(share_of_calls(2500, true), 2500);
  EXPECT_EQ(share_of_calls(5, false), 5) << "a small node is not divided";
  EXPECT_EQ(share_of_calls(0, false), 0);
}

}  // namespace
}  // namespace vas::calls
