#include "base/thread_check.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <functional>
#include <thread>

namespace vas {
namespace {

class Counter {
 public:
  void count() {
    thread_check_.check();
    ++count_;
  }
  int all() const {
    thread_check_.check();
    return count_;
  }

 private:
  int count_ = 0;
  ThreadCheck thread_check_{"Counter"};
};

void on_another_thread(const std::function<void()>& task) {
  std::thread other(task);
  other.join();
}

TEST(ThreadCheck, IsBoundToTheThreadThatUsesTheObjectFirstNotToItsMaker) {
  Counter counter;
  on_another_thread([&] {
    counter.count();
    counter.count();
    EXPECT_EQ(counter.all(), 2);
  });
}

TEST(ThreadCheck, OfACopyIsBoundAnew) {
  Counter counter;
  counter.count();
  Counter copy = counter;
  on_another_thread([&] {
    copy.count();
    copy = Counter();
    EXPECT_EQ(copy.all(), 0);
  });
}

using ThreadCheckDeathTest = testing::Test;

TEST(ThreadCheckDeathTest, SaysWhichObjectAndWhichThreads) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Counter counter;
        counter.count();
        on_another_thread([&] {
          pthread_setname_np(pthread_self(), "stranger");
          counter.count();
        });
      },
      "Counter is thread [0-9]+ \\(.+\\)'s; count\\(\\) is called by thread [0-9]+ \\(stranger\\)");
}

}  // namespace
}  // namespace vas
