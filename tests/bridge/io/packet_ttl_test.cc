#include "bridge/io/packet_ttl.h"

#include <gtest/gtest.h>

namespace vas::bridge {
namespace {

TEST(PacketTtl, GoesDownEachTimeUntilNothingGoesOn) {
  Ttl ttl = 255;
  int rounds = 0;
  for (; may_go_on(ttl); ++rounds) {
    const Ttl onward = ttl_onward(ttl);
    const Ttl next = onward == 0 ? Ttl{kMediaTtl} : onward;
    ASSERT_LT(next, ttl);
    ttl = next;
  }
  EXPECT_EQ(rounds, kMediaTtl);
}

TEST(PacketTtl, OfADatagramWhoseTtlIsNotKnownIsTheSockets) { EXPECT_EQ(ttl_onward(0), 0); }

}  // namespace
}  // namespace vas::bridge
