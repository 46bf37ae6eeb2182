#include "bridge/plane/port_pool.h"

#include <gtest/gtest.h>

#include <array>

namespace vas::bridge {
namespace {

TEST(PortPool, LendsEvenPortsWhoseOddNeighbourIsInside) {
  PortPool pool(10001, 10005);
  EXPECT_EQ(pool.lend(Time{}), 10002);
  EXPECT_EQ(pool.lend(Time{}), 10004);
  EXPECT_FALSE(pool.lend(Time{}));
}

TEST(PortPool, UsesTheWholeRangeInTurnAndThenWhatWasReturnedFirst) {
  PortPool pool(10000, 10007, 7);  // the first turn begins anywhere
  const Time now{};
  for (const std::uint16_t port : std::array<std::uint16_t, 2>{10006, 10000}) {
    EXPECT_EQ(pool.lend(now), port);
    pool.give_back(port, now);
  }
  const Time later = now + PortPool::kRest;
  for (const std::uint16_t port : std::array<std::uint16_t, 4>{10002, 10004, 10006, 10000})
    EXPECT_EQ(pool.lend(later), port);
  EXPECT_FALSE(pool.lend(later));
}

TEST(PortPool, LetsAReturnedPortRest) {
  PortPool pool(10000, 10001);
  const Time now{};
  const auto port = *pool.lend(now);
  pool.give_back(port, now);
  EXPECT_FALSE(pool.lend(now + PortPool::kRest - Duration(1)));
  EXPECT_EQ(pool.lend(now + PortPool::kRest), port);
}

}  // namespace
}  // namespace vas::bridge
