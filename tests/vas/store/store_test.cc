#include "vas/store/store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include <unistd.h>

namespace vas::store {
namespace {

class StoreTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::unique_ptr<Store> open() {
    return std::move(*Store::open(folder_ + "/s.sqlite", [](std::function<void()> work) { work(); }));
  }
  static bool wait(const std::function<void(Store::Done)>& write) {
    std::promise<bool> committed;
    write([&](bool good) { committed.set_value(good); });
    return committed.get_future().get();
  }
  const std::string folder_ = testing::TempDir() + "vas-store-" + std::to_string(::getpid());
};

TEST_F(StoreTest, WhatWasCommittedIsThereInTheNextProcess) {
  {
    const auto store = open();
    EXPECT_TRUE(wait([&](Store::Done done) { store->save({.id = 1, .token = "a"}, std::move(done)); }));
    store->save({.id = 2, .token = "b"});
    store->save({.id = 3, .token = "c"});
    store->save({.id = 2, .token = "b", .remote = "changed"});
    store->remove("c");
  }
  const auto sessions = *open()->load_sessions();
  ASSERT_EQ(sessions.size(), 2u);
  EXPECT_EQ(sessions[1].remote, "changed");
}

TEST_F(StoreTest, SaysWhyItCannotBeOpened) {
  const auto store = Store::open("/nonexistent/x.sqlite", [](std::function<void()>) {});
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().find("/nonexistent/x.sqlite"), std::string::npos);
}

}  // namespace
}  // namespace vas::store
