#include "signaling/gateway/policy/invites_without_response.h"

#include <gtest/gtest.h>

namespace vas::signaling {
namespace {

using namespace std::chrono_literals;

constexpr Time kStart{Duration(1h)};

TEST(InvitesWithoutResponse, AnErrorEndsOnceWhatHasNoResponse) {
  InvitesWithoutResponse invites;
  invites.remember("b1", "INVITE 1", kStart);
  invites.remember("b1", "INVITE 1", kStart + 500ms);  // repeated
  EXPECT_FALSE(invites.pop("guessed", kStart));
  EXPECT_EQ(invites.pop("b1", kStart + 1s), "INVITE 1");
  EXPECT_FALSE(invites.pop("b1", kStart + 1s));
  invites.remember("b1", "INVITE 1", kStart + 2s);  // a repeat that was under way
  EXPECT_FALSE(invites.pop("b1", kStart + 2s));
}

TEST(InvitesWithoutResponse, NothingEndsWhatHadAResponseOrIsLongGone) {
  InvitesWithoutResponse invites;
  invites.remember("b1", "INVITE 1", kStart);
  invites.forget("b1");
  invites.forget("b2");
  EXPECT_FALSE(invites.pop("b1", kStart));
  invites.remember("b3", "INVITE 3", kStart);
  EXPECT_FALSE(invites.pop("b3", kStart + 33s));
}

TEST(InvitesWithoutResponse, TheOldestMakesRoom) {
  InvitesWithoutResponse invites;
  for (std::size_t i = 0; i <= InvitesWithoutResponse::kMaxWaiting; ++i)
    invites.remember(std::to_string(i), "INVITE", kStart);
  EXPECT_FALSE(invites.pop("0", kStart));
  EXPECT_TRUE(invites.pop("1", kStart));
  invites.remember("large", std::string(InvitesWithoutResponse::kMaxBytesEach + 1, 'x'), kStart);
  EXPECT_FALSE(invites.pop("large", kStart));
}

}  // namespace
}  // namespace vas::signaling
