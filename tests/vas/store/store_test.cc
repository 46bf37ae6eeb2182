#include "vas/store/store.h"

#include <gtest/gtest.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <future>

#include "vas/store/schema.h"

namespace vas::store {
namespace {

sessions::Session session(std::int64_t id, const std::string& token, std::int64_t domain = 3) {
  return {.id = id, .token = token, .domain_id = domain, .msisdn = "1", .remote = "r"};
}

webhooks::Event event(const std::string& id, std::int64_t number, const std::string& token = "t") {
  return {.id = id,
          .token = token,
          .number = number,
          .domain_id = 3,
          .url = "http://x",
          .body = "{\"a\":1}",
          .created_at = WallTime(std::chrono::milliseconds(1'700'000'000'123)),
          .tries = 2,
          .next_try_at = WallTime(std::chrono::milliseconds(1'700'000'005'000)),
          .last_error = "answered 500"};
}

class StoreTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/s.sqlite"; }
  std::unique_ptr<Store> open() {
    auto store = Store::open(path(), [](std::function<void()> work) { work(); });
    EXPECT_TRUE(store) << (store ? "" : store.error());
    return std::move(*store);
  }
  static bool commit(Store& store, Transaction transaction) {
    std::promise<bool> committed;
    store.commit(std::move(transaction), Urgency::kMayFail, [&](bool good) { committed.set_value(good); });
    return committed.get_future().get();
  }
  template <typename Ask>
  static Page page_of(Ask ask) {
    std::promise<std::optional<Page>> page;
    ask([&](std::optional<Page> found) { page.set_value(std::move(found)); });
    return page.get_future().get().value();
  }
  const std::string folder_ = testing::TempDir() + "vas-store-" + std::to_string(::getpid());
};

TEST_F(StoreTest, WhatWasCommittedIsThereInTheNextProcess) {
  {
    const auto store = open();
    EXPECT_TRUE(commit(*store, Transaction().save(session(1, "a"))));
    store->commit(Transaction().save(session(2, "b")).save(event("b-1", 1, "b")), Urgency::kMustLast);
    store->commit(Transaction().save(session(3, "c")), Urgency::kMustLast);
    auto changed = session(2, "b");
    changed.remote = "changed";
    store->commit(Transaction().save(changed), Urgency::kMustLast);
    store->commit(Transaction().remove(session(3, "c")), Urgency::kMustLast);
  }
  const auto contents = *open()->load();
  ASSERT_EQ(contents.sessions.size(), 2u);
  EXPECT_EQ(contents.sessions[1].remote, "changed");
  ASSERT_EQ(contents.events.size(), 1u);
}

TEST_F(StoreTest, EventsComeBackWholeAndInTheirOrder) {
  {
    const auto store = open();
    for (const int number : {10, 2, 1})
      commit(*store, Transaction().save(event("t-" + std::to_string(number), number)));
    commit(*store, Transaction().bury(event("t-2", 2)));
    commit(*store, Transaction().remove_event("t-1"));
    commit(*store, Transaction().save(event("t-11", 11)));
  }
  const auto events = open()->load()->events;
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].id, "t-10");
  EXPECT_EQ(events[1].id, "t-11");
  const webhooks::Event expected = event("t-11", 11);
  EXPECT_EQ(events[1].body, expected.body);
  EXPECT_EQ(events[1].created_at, expected.created_at);
  EXPECT_EQ(events[1].next_try_at, expected.next_try_at);
  EXPECT_EQ(events[1].tries, 2);
}

TEST_F(StoreTest, ListsInPagesAndFilters) {
  const auto store = open();
  Transaction transaction;
  for (std::int64_t id = 1; id <= 5; ++id) {
    auto each = session(id, "t" + std::to_string(id), id == 5 ? 4 : 3);
    each.direction = id == 2 ? sessions::Direction::kIncoming : sessions::Direction::kOutgoing;
    transaction.save(each);
  }
  commit(*store, std::move(transaction));
  const auto list = [&](sessions::SessionFilter filter, PageRequest request) {
    return page_of(
        [&](QueryPool::Done done) { store->queries().list_sessions(filter, request, std::move(done)); });
  };
  const Page first = list({.domain_id = 3}, {.limit = 3});
  EXPECT_EQ(first.next, "3");
  const Page second = list({.domain_id = 3}, {.after = "3", .limit = 3});
  EXPECT_FALSE(second.next);
  EXPECT_NE(second.json.find("\"t4\""), std::string::npos);
  EXPECT_EQ(second.json.find("\"t5\""), std::string::npos) << "another domain's";
  EXPECT_NE(list({.domain_id = 3, .direction = "incoming"}, {}).json.find("\"t2\""), std::string::npos);
  EXPECT_EQ(list({.domain_id = 9}, {}).json, "[]");
}

TEST_F(StoreTest, ADeadLetterIsListedFoundAndForgotten) {
  const auto store = open();
  commit(*store, Transaction().bury(event("t-1", 1)));
  const auto list = [&] {
    return page_of([&](QueryPool::Done done) { store->queries().list_dead_events(3, {}, std::move(done)); })
        .json;
  };
  EXPECT_NE(list().find("answered 500"), std::string::npos);
  std::promise<std::optional<webhooks::Event>> found;
  store->queries().find_dead_event(4, "t-1", [&](auto each) { found.set_value(std::move(each)); });
  EXPECT_FALSE(found.get_future().get()) << "another domain's";
  commit(*store, Transaction().forget_dead_events(WallTime(std::chrono::milliseconds(1'700'000'000'124))));
  EXPECT_EQ(list(), "[]");
}

// A database as each earlier version of the program left it becomes one of today, with what it holds.
TEST_F(StoreTest, MigratesFromEveryEarlierVersion) {
  for (std::size_t version = 0; version < latest_schema_version(); ++version) {
    SCOPED_TRACE(version);
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    {
      soci::session database(soci::sqlite3, "db=" + path());
      migrate(database, version);
      const std::string body = to_store_json(session(7, "old"));
      if (version == 1)
        database << "INSERT INTO sessions (token, body) VALUES ('old', :body)", soci::use(body);
      if (version > 1) {
        database << "INSERT INTO sessions (id, domain_id, token, body) VALUES (7, 3, 'old', :body)",
            soci::use(body);
      }
    }
    const auto store = open();
    const auto contents = store->load();
    ASSERT_TRUE(contents) << contents.error();
    ASSERT_EQ(contents->sessions.size(), version == 0 ? 0u : 1u);
    if (version > 0) {
      EXPECT_EQ(contents->sessions[0].token, "old");
    }
    EXPECT_TRUE(
        commit(*store, Transaction().save(session(8, "new")).save(event("new-1", 1)).set_counter("c", 5)));
  }
}

TEST_F(StoreTest, ADatabaseOfANewerProgramIsRefused) {
  open();
  {
    soci::session database(soci::sqlite3, "db=" + path());
    database << "PRAGMA user_version = 99";
  }
  const auto store = Store::open(path(), [](std::function<void()>) {});
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().find("newer"), std::string::npos);
}

// Another process holds the database for a while: what must last is committed when it lets go, in order.
TEST_F(StoreTest, WhatMustLastOutlivesADatabaseThatFails) {
  {
    const auto store = open();
    commit(*store, Transaction().save(session(1, "a")));
    {
      soci::session other(soci::sqlite3, "db=" + path());
      other << "DROP TABLE events";
      store->commit(Transaction().save(event("a-1", 1, "a")), Urgency::kMustLast);
      EXPECT_FALSE(commit(*store, Transaction().save(event("x", 1))));
      other << "PRAGMA user_version = 2";
      migrate(other);
    }
    EXPECT_TRUE(commit(*store, Transaction().save(event("a-2", 2, "a"))));
  }
  EXPECT_EQ(open()->load()->events.size(), 2u);
}

TEST_F(StoreTest, SaysWhyItCannotBeOpened) {
  const auto store = Store::open("/nonexistent/x.sqlite", [](std::function<void()>) {});
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().find("/nonexistent/x.sqlite"), std::string::npos);
}

}  // namespace
}  // namespace vas::store
