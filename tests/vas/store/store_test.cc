#include "vas/store/store.h"

#include <gtest/gtest.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "vas/secrets/key_file.h"
#include "vas/store/change_feed.h"
#include "vas/store/schema.h"

namespace vas::store {
namespace {

constexpr const char* kNode = "n1";
constexpr secrets::Key kKey{7};

sessions::Session session(std::int64_t id, const std::string& token, std::int64_t domain = 3) {
  return {.id = id, .token = token, .domain_id = domain, .msisdn = "1", .remote = "r", .node = kNode};
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

// On SQLite, and on the PostgreSQL that VAS_TEST_POSTGRESQL names (tests/with_postgres.py starts one).
class StoreTest : public testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    if (GetParam() == Dialect::kSqlite) return;
    ASSERT_NE(server(), nullptr) << "run it by tests/with_postgres.py";
    soci::session database(soci::postgresql, with_deadlines(server()));
    database << "DROP SCHEMA public CASCADE";
    database << "CREATE SCHEMA public";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string key_file() const { return folder_ + "/store.key"; }
  static const char* server() { return std::getenv("VAS_TEST_POSTGRESQL"); }
  std::string path() const { return GetParam() == Dialect::kSqlite ? folder_ + "/s.sqlite" : server(); }
  std::unique_ptr<Store> open(const std::string& node = kNode) {
    auto store = Store::open(
        path(), node, [](std::function<void()> work) { work(); }, key_file(), set_aside());
    EXPECT_TRUE(store) << (store ? "" : store.error());
    return std::move(*store);
  }
  static bool commit(Store& store, Transaction transaction) {
    std::promise<bool> committed;
    store.commit(std::move(transaction), Urgency::kMayFail, [&](bool good) { committed.set_value(good); });
    return committed.get_future().get();
  }
  std::string set_aside() const { return folder_ + "/rejected.jsonl"; }
  // One statement of an operator's.
  void run(const std::string& statement) const {
    soci::session database = GetParam() == Dialect::kSqlite
                                 ? soci::session(soci::sqlite3, "db=" + path())
                                 : soci::session(soci::postgresql, with_deadlines(server()));
    database << statement;
  }
  // From now on no session of this token is taken.
  void refuse_sessions_of(const Store& store, const std::string& clear_token) const {
    const std::string token = store.sealer().hash(clear_token);
    if (GetParam() == Dialect::kSqlite)
      return run("CREATE TRIGGER refuse BEFORE INSERT ON sessions WHEN NEW.token = '" + token +
                 "' BEGIN SELECT RAISE(ABORT, 'not this one'); END");
    run("ALTER TABLE sessions ADD CONSTRAINT not_this_one CHECK (token <> '" + token + "')");
  }
  std::vector<std::string> rejected() const {
    std::ifstream in(set_aside());
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }
  template <typename Ask>
  static Page page_of(Ask ask) {
    std::promise<std::optional<Page>> page;
    ask([&](std::optional<Page> found) { page.set_value(std::move(found)); });
    return page.get_future().get().value();
  }
  const std::string folder_ = testing::TempDir() + "vas-store-" + std::to_string(::getpid());
};

TEST_P(StoreTest, WhatWasCommittedIsThereInTheNextProcess) {
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

TEST_P(StoreTest, EventsComeBackWholeAndInTheirOrder) {
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

TEST_P(StoreTest, ListsInPagesAndFilters) {
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

TEST_P(StoreTest, ADeadLetterIsListedFoundAndForgotten) {
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

// What must last and stands in the same commit is stored;
// the row that the database will never take is kept aside.
TEST_P(StoreTest, ARowThatIsRefusedIsSetAsideAlone) {
  {
    const auto store = open();
    commit(*store, Transaction().save(session(1, "a")));
    refuse_sessions_of(*store, "bad");
    store->commit(Transaction().save(session(2, "b")), Urgency::kMustLast);
    store->commit(Transaction().save(session(3, "bad")).save(event("e-1", 1, "bad")), Urgency::kMustLast);
    store->commit(Transaction().remove(session(1, "a")), Urgency::kMustLast);
    EXPECT_TRUE(commit(*store, Transaction().save(session(4, "d"))));
    EXPECT_EQ(store->rows_refused(), 1u);
    EXPECT_EQ(store->pulse().read(monotonic_now(), std::chrono::hours(1)).state, Pulse::State::kWell);
  }
  const auto contents = *open()->load();
  ASSERT_EQ(contents.sessions.size(), 2u);
  EXPECT_EQ(contents.sessions[0].token, "b");
  EXPECT_EQ(contents.sessions[1].token, "d");
  ASSERT_EQ(contents.events.size(), 1u) << "the other row of its transaction";
  ASSERT_EQ(rejected().size(), 1u);
  EXPECT_NE(rejected()[0].find("\"row\":\"sealed1:"), std::string::npos) << rejected()[0];
  EXPECT_EQ(rejected()[0].find("bad"), std::string::npos) << "its token is at rest there too";
}

// A later state that is refused takes an earlier one, which was acknowledged, not with it.
TEST_P(StoreTest, AStateThatIsRefusedLeavesTheOneBefore) {
  const auto store = open();
  auto bad = session(2, "bad");
  refuse_sessions_of(*store, "bad");
  store->commit(Transaction().save(session(1, "x")), Urgency::kMustLast);  // the commit that both wait behind
  store->commit(Transaction().save(session(2, "good")), Urgency::kMayFail, [](bool) {});
  store->commit(Transaction().save(bad), Urgency::kMustLast);
  EXPECT_TRUE(commit(*store, Transaction()));
  EXPECT_EQ(open()->load()->sessions.size(), 2u);
}

TEST_P(StoreTest, WhoeverAskedForWhatIsRefusedIsToldAndNothingOfItIsWritten) {
  const auto store = open();
  refuse_sessions_of(*store, "bad");
  EXPECT_FALSE(commit(*store, Transaction().save(event("e-1", 1)).save(session(3, "bad"))));
  EXPECT_TRUE(commit(*store, Transaction().save(session(4, "d"))));
  EXPECT_TRUE(open()->load()->events.empty());
  EXPECT_TRUE(rejected().empty()) << "nobody was promised it";
  EXPECT_EQ(store->rows_refused(), 1u);
}

TEST_P(StoreTest, ManyRefusedRowsCostAboutAsMuchAsTheyAre) {
  const auto store = open();
  refuse_sessions_of(*store, "bad");
  for (std::int64_t id = 1; id <= 300; ++id)
    store->commit(Transaction().save(session(id, id % 2 == 0 ? "bad" : "t" + std::to_string(id))),
                  Urgency::kMustLast);
  EXPECT_TRUE(commit(*store, Transaction().save(session(1000, "d"))));
  EXPECT_EQ(store->rows_refused(), 150u);
  EXPECT_EQ(open()->load()->sessions.size(), 151u);
}

// Asked for its pulse, the writer tries the database, and says when it would take no commit.
TEST_P(StoreTest, ItsPulseTellsADatabaseThatTakesNothing) {
  const auto store = open();
  const auto is = [&](Pulse::State state) {
    for (int i = 0; i < 600; ++i) {
      store->ask(monotonic_now());
      if (store->pulse().read(monotonic_now(), std::chrono::hours(1)).state == state) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  };
  EXPECT_TRUE(is(Pulse::State::kWell));
  run("ALTER TABLE counters RENAME TO gone");
  EXPECT_FALSE(commit(*store, Transaction().set_counter("c", 1)));
  EXPECT_TRUE(is(Pulse::State::kFailing));
  run("ALTER TABLE gone RENAME TO counters");
  EXPECT_TRUE(is(Pulse::State::kWell)) << "nobody writes, and it is found out all the same";
}

// A database as each earlier version of the program left it becomes one of today, with what it holds.
class SqliteStoreTest : public StoreTest {};

TEST_P(SqliteStoreTest, MigratesFromEveryEarlierVersion) {
  for (std::size_t version = 0; version < latest_schema_version(); ++version) {
    SCOPED_TRACE(version);
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    {
      soci::session database(soci::sqlite3, "db=" + path());
      migrate(database, Dialect::kSqlite, secrets::Sealer(kKey), version);
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

TEST_P(SqliteStoreTest, ADatabaseOfANewerProgramIsRefused) {
  open();
  {
    soci::session database(soci::sqlite3, "db=" + path());
    database << "PRAGMA user_version = 99";
  }
  const auto store = Store::open(
      path(), kNode, [](std::function<void()>) {}, key_file());
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().find("newer"), std::string::npos);
}

// Another process holds the database for a while: what must last is committed when it lets go, in order.
TEST_P(SqliteStoreTest, WhatMustLastOutlivesADatabaseThatFails) {
  {
    const auto store = open();
    commit(*store, Transaction().save(session(1, "a")));
    {
      soci::session other(soci::sqlite3, "db=" + path());
      other << "DROP TABLE events";
      store->commit(Transaction().save(event("a-1", 1, "a")), Urgency::kMustLast);
      EXPECT_FALSE(commit(*store, Transaction().save(event("x", 1))));
      other << "PRAGMA user_version = 2";
      migrate(other, Dialect::kSqlite, secrets::Sealer(**secrets::read_key_file(key_file())));
    }
    EXPECT_TRUE(commit(*store, Transaction().save(event("a-2", 2, "a"))));
  }
  EXPECT_EQ(open()->load()->events.size(), 2u);
}

// The asker is told within a few seconds; what must last is there when the lock is gone.
TEST_P(SqliteStoreTest, ADatabaseThatIsLockedHoldsNobodyUpForLong) {
  const auto store = open();
  soci::session other(soci::sqlite3, "db=" + path());
  other << "BEGIN EXCLUSIVE";
  const Time began = monotonic_now();
  store->commit(Transaction().save(session(1, "a")), Urgency::kMustLast);
  EXPECT_FALSE(commit(*store, Transaction().save(session(2, "b"))));
  EXPECT_LT(monotonic_now() - began, std::chrono::seconds(5));
  other << "ROLLBACK";
  EXPECT_TRUE(commit(*store, Transaction().save(session(3, "c"))));
  EXPECT_EQ(open()->load()->sessions.size(), 2u);
}

TEST_P(SqliteStoreTest, SaysWhyItCannotBeOpened) {
  const auto store = Store::open(
      "/nonexistent/x.sqlite", kNode, [](std::function<void()>) {}, "/nonexistent/key");
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().find("/nonexistent/x.sqlite"), std::string::npos);
}

class PostgresStoreTest : public StoreTest {};

TEST_P(PostgresStoreTest, WhatMustLastOutlivesAConnectionThatBreaks) {
  {
    const auto store = open();
    commit(*store, Transaction().save(session(1, "a")));
    soci::session other(soci::postgresql, with_deadlines(server()));
    other << "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vas' AND pid "
             "<> pg_backend_pid()";
    store->commit(Transaction().save(event("a-1", 1, "a")), Urgency::kMustLast);
    EXPECT_TRUE(commit(*store, Transaction().save(event("a-2", 2, "a"))) ||
                commit(*store, Transaction().save(event("a-2", 2, "a"))));
  }
  EXPECT_EQ(open()->load()->events.size(), 2u);
}

// Every process of the server stopped: its kernel acknowledges, and nothing answers.
class FrozenServer {
 public:
  explicit FrozenServer(const char* url) {
    soci::session database(soci::postgresql, with_deadlines(url));
    soci::rowset<int> all =
        (database.prepare << "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client "
                             "backend' AND pid <> pg_backend_pid()");
    for (const int pid : all) processes_.push_back(pid);
    std::string file;
    database << "SELECT pg_read_file('postmaster.pid')", soci::into(file);
    processes_.insert(processes_.begin(), std::atoi(file.c_str()));
    for (const int each : processes_) ::kill(each, SIGSTOP);
  }
  ~FrozenServer() {
    for (const int each : processes_) ::kill(each, SIGCONT);
  }

 private:
  std::vector<int> processes_;
};

TEST_P(PostgresStoreTest, AServerThatIsFrozenHoldsNobodyUpForLong) {
  const auto store = open();
  commit(*store, Transaction().save(session(1, "a")));
  {
    const FrozenServer frozen(server());
    const Time began = monotonic_now();
    store->commit(Transaction().save(session(2, "b")), Urgency::kMustLast);
    std::promise<std::optional<Page>> page;
    store->queries().list_sessions({.domain_id = 3}, {},
                                   [&](auto found) { page.set_value(std::move(found)); });
    EXPECT_FALSE(commit(*store, Transaction().save(session(3, "c"))));
    EXPECT_LT(monotonic_now() - began, std::chrono::seconds(5));
    EXPECT_FALSE(commit(*store, Transaction().save(session(4, "d")))) << "and once more, while it connects";
    EXPECT_LT(monotonic_now() - began, std::chrono::seconds(9));
    EXPECT_FALSE(page.get_future().get());
    EXPECT_TRUE(store->pulse().is_failing());
  }
  EXPECT_TRUE(commit(*store, Transaction().save(session(5, "e"))) ||
              commit(*store, Transaction().save(session(5, "e"))));
  EXPECT_EQ(open()->load()->sessions.size(), 3u);
}

// What the network may bring into a row: bytes that are no UTF-8. Sealed they are text like all others.
TEST_P(PostgresStoreTest, BytesThatAreNoTextStopNobody) {
  {
    const auto store = open();
    auto bad = session(1, "a");
    bad.remote = "\xff\xfe";
    store->commit(Transaction().save(bad), Urgency::kMustLast);
    EXPECT_TRUE(commit(*store, Transaction().save(session(2, "b"))));
  }
  EXPECT_EQ(open()->load()->sessions.size(), 2u);
  EXPECT_TRUE(rejected().empty());
}

TEST_P(PostgresStoreTest, ANodeLoadsWhatIsItsOwn) {
  {
    const auto first = open("n1");
    const auto second = open("n2");
    auto theirs = session(2, "b");
    theirs.node = "n2";
    commit(*first, Transaction().save(session(1, "a")).save(event("a-1", 1, "a")));
    commit(*second, Transaction().save(theirs).save(event("b-1", 1, "b")));
  }
  const auto contents = *open("n2")->load();
  ASSERT_EQ(contents.sessions.size(), 1u);
  EXPECT_EQ(contents.sessions[0].token, "b");
  ASSERT_EQ(contents.events.size(), 1u);
  EXPECT_EQ(contents.events[0].id, "b-1");
}

TEST_P(PostgresStoreTest, NodesGetNumbersOfTheirOwnAndOneSecret) {
  const auto store = open();
  const secrets::Sealer& sealer = store->sealer();
  const auto first = ChangeFeed::join(path(), "n1", "127.0.0.1:1", sealer);
  const auto second = ChangeFeed::join(path(), "n2", "127.0.0.1:2", sealer);
  const auto again = ChangeFeed::join(path(), "n1", "127.0.0.1:3", sealer);
  ASSERT_TRUE(first && second && again) << (first ? "" : first.error());
  EXPECT_NE(first->number, second->number);
  EXPECT_EQ(first->number, again->number);
  EXPECT_EQ(first->secret, second->secret);
  EXPECT_GE(first->secret.size(), 64u);
}

TEST_P(PostgresStoreTest, WhatOneNodeWritesTheOtherHears) {
  const auto first = open("n1");
  const secrets::Sealer& sealer = first->sealer();
  ASSERT_TRUE(ChangeFeed::join(path(), "n1", "127.0.0.1:1", sealer));
  ASSERT_TRUE(ChangeFeed::join(path(), "n2", "127.0.0.1:2", sealer));
  std::mutex mutex;
  std::vector<FeedEvent> heard;
  const auto feed = ChangeFeed::start(path(), "n2", "127.0.0.1:2", sealer, [&](FeedEvent event) {
    const std::lock_guard lock(mutex);
    heard.push_back(std::move(event));
  });
  const auto wait_for = [&]<typename Event>(const Event*) {
    for (int i = 0; i < 500; ++i) {
      {
        const std::lock_guard lock(mutex);
        for (const FeedEvent& each : heard) {
          if (const auto* found = std::get_if<Event>(&each)) return std::optional<Event>(*found);
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return std::optional<Event>();
  };
  ASSERT_TRUE(wait_for(static_cast<const NodesSeen*>(nullptr)));
  commit(*first, Transaction().save(session(5, "heard")));
  const auto changed = wait_for(static_cast<const SessionChanged*>(nullptr));
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->session.token, "heard");
  commit(*first, Transaction().remove(session(5, "heard")));
  const auto removed = wait_for(static_cast<const SessionRemoved*>(nullptr));
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->id, 5);
  commit(*first, Transaction().apply({directory::Entry(directory::Tenant{9, "told"})}));
  EXPECT_TRUE(wait_for(static_cast<const DirectoryChanged*>(nullptr)));
  EXPECT_TRUE(feed->send("n2", "{\"to\":\"myself\"}"));
  const auto message = wait_for(static_cast<const NodeMessage*>(nullptr));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->text, "{\"to\":\"myself\"}");
  EXPECT_FALSE(feed->send("n2", std::string(ChangeFeed::kMaxMessage + 1, 'x')));
}

TEST(Database, ShowsNoPassword) {
  EXPECT_EQ(shown("postgresql://vas:secret@db.example:5432/vas?sslmode=require"),
            "postgresql://db.example:5432/vas");
  EXPECT_EQ(shown("/var/lib/vas/vas.sqlite"), "/var/lib/vas/vas.sqlite");
}

const auto kName = [](const testing::TestParamInfo<Dialect>& info) {
  return info.param == Dialect::kSqlite ? "Sqlite" : "Postgresql";
};
INSTANTIATE_TEST_SUITE_P(Both, StoreTest, testing::Values(Dialect::kSqlite, Dialect::kPostgresql), kName);
INSTANTIATE_TEST_SUITE_P(Only, SqliteStoreTest, testing::Values(Dialect::kSqlite), kName);
INSTANTIATE_TEST_SUITE_P(Only, PostgresStoreTest, testing::Values(Dialect::kPostgresql), kName);

}  // namespace
}  // namespace vas::store
