#include "signaling/gateway/policy/live_dialogs.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace vas::signaling {
namespace {

using namespace std::chrono_literals;
using Party = LiveDialogs::Party;

constexpr Time kStart{Duration(1h)};

Flow udp(const char* peer) { return {Transport::kUdp, *Endpoint::parse(peer), 0}; }

class LiveDialogsTest : public testing::Test {
 protected:
  LiveDialogs dialogs_{1024};
  const LiveDialogs::Key key_ = dialogs_.key_of("call", "tag");
  const Flow phone_ = udp("192.0.2.1:5060");
};

TEST_F(LiveDialogsTest, KnowsADialogByBothCallIdAndTag) {
  EXPECT_FALSE(dialogs_.contains(key_, kStart));
  ASSERT_TRUE(dialogs_.add(key_, &phone_, kStart));
  EXPECT_TRUE(dialogs_.contains(key_, kStart));
  EXPECT_TRUE(dialogs_.contains(dialogs_.key_of("call", "TAG"), kStart));  // RFC 3261 §7.3.1
  EXPECT_FALSE(dialogs_.contains(dialogs_.key_of("call", "gat"), kStart));
  EXPECT_FALSE(dialogs_.contains(dialogs_.key_of("call", ""), kStart));
  EXPECT_FALSE(dialogs_.contains(dialogs_.key_of("Call", "tag"), kStart));
  EXPECT_FALSE(dialogs_.contains(dialogs_.key_of_invite("call"), kStart));
}

TEST_F(LiveDialogsTest, OneThatHasEndedIsKnownForAsLongAsItsLastMessagesAreRepeated) {
  dialogs_.add(key_, &phone_, kStart);
  dialogs_.end(key_, kStart + 10s);
  EXPECT_EQ(dialogs_.live(), 0u);
  EXPECT_TRUE(dialogs_.contains(key_, kStart + 10s + LiveDialogs::kLinger - 1us));
  EXPECT_FALSE(dialogs_.contains(key_, kStart + 10s + LiveDialogs::kLinger));
}

TEST_F(LiveDialogsTest, OneThatEndsTwiceCountsOnce) {
  dialogs_.add(key_, &phone_, kStart);
  dialogs_.add(dialogs_.key_of("other", "tag"), &phone_, kStart);
  dialogs_.end(key_, kStart);
  dialogs_.end(key_, kStart + 5s);
  dialogs_.end(dialogs_.key_of("none", "tag"), kStart);
  EXPECT_EQ(dialogs_.live(), 1u);
  EXPECT_FALSE(dialogs_.contains(key_, kStart + LiveDialogs::kLinger));
}

TEST_F(LiveDialogsTest, RefusesMoreThanItMayHoldAndLosesNoneThatLives) {
  std::vector<LiveDialogs::Key> held;
  for (int i = 0; held.size() < dialogs_.max_live(); ++i) {
    const auto key = dialogs_.key_of("call" + std::to_string(i), "tag");
    ASSERT_TRUE(dialogs_.add(key, nullptr, kStart));
    held.push_back(key);
  }
  EXPECT_TRUE(dialogs_.is_full());
  EXPECT_FALSE(dialogs_.add(key_, &phone_, kStart));
  for (const auto key : held) EXPECT_TRUE(dialogs_.contains(key, kStart));
  dialogs_.end(held.front(), kStart);
  EXPECT_TRUE(dialogs_.add(key_, &phone_, kStart));
}

TEST_F(LiveDialogsTest, WhatHasEndedMakesRoomAndWhatLivesStays) {
  for (int i = 0; i < 100'000; ++i) {
    const auto key = dialogs_.key_of(std::to_string(i), "tag");
    ASSERT_TRUE(dialogs_.add(key, nullptr, kStart));
    if (i >= 400) dialogs_.end(key, kStart);
  }
  for (int i = 0; i < 400; ++i)
    EXPECT_TRUE(dialogs_.contains(dialogs_.key_of(std::to_string(i), "tag"), kStart));
}

TEST_F(LiveDialogsTest, EachDialogHasABudgetOfItsOwn) {
  const auto other = dialogs_.key_of("other", "tag");
  dialogs_.add(key_, &phone_, kStart);
  dialogs_.add(other, &phone_, kStart);
  unsigned taken = 0;
  while (dialogs_.accepts_request(key_, kStart)) ++taken;
  EXPECT_EQ(taken, 2 * LiveDialogs::kRequestsPerSecond);
  EXPECT_TRUE(dialogs_.accepts_request(other, kStart));
  EXPECT_TRUE(dialogs_.accepts_request(key_, kStart + Duration(1s) / LiveDialogs::kRequestsPerSecond));
  EXPECT_FALSE(dialogs_.accepts_request(key_, kStart + Duration(1s) / LiveDialogs::kRequestsPerSecond));
  EXPECT_FALSE(dialogs_.accepts_request(dialogs_.key_of("none", "tag"), kStart));
}

TEST_F(LiveDialogsTest, KnowsItsPartyByTransportAddressAndPort) {
  dialogs_.add(key_, nullptr, kStart);
  EXPECT_EQ(dialogs_.party(key_, phone_, kStart), Party::kUnknown);
  dialogs_.set_party(key_, phone_, false, kStart);
  EXPECT_EQ(dialogs_.party(key_, phone_, kStart), Party::kSame);
  dialogs_.set_party(key_, phone_, true, kStart);
  EXPECT_EQ(dialogs_.party(key_, phone_, kStart), Party::kProved);
  EXPECT_EQ(dialogs_.party(key_, udp("192.0.2.1:5061"), kStart), Party::kOther);
  EXPECT_EQ(dialogs_.party(key_, udp("192.0.2.2:5060"), kStart), Party::kOther);
  EXPECT_EQ(dialogs_.party(key_, {Transport::kTcp, phone_.peer, 1}, kStart), Party::kOther);
}

// What a sanitizer of threads looks at: stacks write while the gateway reads.
TEST_F(LiveDialogsTest, IsReadWhileItIsWritten) {
  std::atomic<bool> is_done{false};
  const auto steady = dialogs_.key_of("steady", "tag");
  dialogs_.add(steady, &phone_, kStart);
  std::vector<std::thread> stacks;
  for (int s = 0; s < 3; ++s) {
    stacks.emplace_back([&, s] {
      for (int i = 0; i < 20'000; ++i) {
        const auto key = dialogs_.key_of(std::to_string(s) + "-" + std::to_string(i), "tag");
        dialogs_.add(key, &phone_, kStart + Duration(i));
        dialogs_.end(key, kStart + Duration(i));
      }
      is_done = true;
    });
  }
  while (!is_done) {
    EXPECT_TRUE(dialogs_.contains(steady, kStart));
    dialogs_.set_party(steady, phone_, true, kStart);
    (void)dialogs_.accepts_request(steady, kStart);
  }
  for (auto& each : stacks) each.join();
  EXPECT_EQ(dialogs_.live(), 1u);
}

}  // namespace
}  // namespace vas::signaling
