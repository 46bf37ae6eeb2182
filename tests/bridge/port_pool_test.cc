#include "bridge/port_pool.h"

#include <gtest/gtest.h>

namespace vas::bridge {
namespace {

TEST(PortPool, LendsEvenPortsWhoseOddNeighbourIsInside) {
  PortPool pool(10001, 10005);
  EXPECT_EQ(pool.lend(Time{}), 10002);
  EXPECT_EQ(pool.lend(Time{}), 10004);
  EXPECT_FALSE(pool.lend(Time{}));
}

TEST(PortPool, LetsAReturnedPortRest) {
  PortPool pool(10000, 10001);
  const Time now{};
  const auto port = *pool.lend(now);
  pool.take_back(port, now);
  EXPECT_FALSE(pool.lend(now + PortPool::kRest - Duration(1)));
  EXPECT_EQ(pool.lend(now + PortPool::kRest), port);
}

}  // namespace
}  // namespace vas::bridge
