#include "base/inbox.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <thread>
#include <vector>

namespace vas {
namespace {

bool is_readable(int descriptor) {
  pollfd waiting{descriptor, POLLIN, 0};
  return poll(&waiting, 1, 0) == 1;
}

TEST(Inbox, RefusesWhenFullAndTakesAgainWhenDrained) {
  Inbox<int> inbox(4);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(inbox.push(std::move(i)));
  EXPECT_FALSE(inbox.push(9));
  std::vector<int> got;
  inbox.drain([&](int each) { got.push_back(each); });
  EXPECT_EQ(got, (std::vector{0, 1, 2, 3}));
  EXPECT_TRUE(inbox.push(5));
}

TEST(Inbox, StaysReadableWhileSomethingIsLeft) {
  Inbox<int> inbox(8);
  EXPECT_FALSE(is_readable(inbox.descriptor()));
  for (int i = 0; i < 3; ++i) inbox.push(std::move(i));
  inbox.drain([](int) {}, 2);
  EXPECT_TRUE(is_readable(inbox.descriptor()));
  inbox.drain([](int) {});
  EXPECT_FALSE(is_readable(inbox.descriptor()));
}

TEST(Inbox, LosesNothingAndKeepsEachProducersOrder) {
  constexpr int kEach = 20000;
  Inbox<int> inbox(256);
  std::vector<std::thread> producers;
  for (int producer = 0; producer < 3; ++producer) {
    producers.emplace_back([&inbox, producer] {
      for (int i = 0; i < kEach; ++i) {
        while (!inbox.push(producer * kEach + i)) std::this_thread::yield();
      }
    });
  }
  std::vector<int> last(3, -1);
  int count = 0;
  while (count < 3 * kEach) {
    pollfd waiting{inbox.descriptor(), POLLIN, 0};
    ASSERT_EQ(poll(&waiting, 1, 5000), 1) << "a wake-up was lost";
    inbox.drain([&](int value) {
      EXPECT_EQ(value % kEach, last[static_cast<std::size_t>(value / kEach)] + 1);
      last[static_cast<std::size_t>(value / kEach)] = value % kEach;
      ++count;
    });
  }
  for (auto& each : producers) each.join();
}

}  // namespace
}  // namespace vas
