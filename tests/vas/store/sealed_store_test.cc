#include <gtest/gtest.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>

#include "vas/secrets/key_file.h"
#include "vas/store/change_feed.h"
#include "vas/store/schema.h"
#include "vas/store/store.h"

namespace vas::store {
namespace {

constexpr const char* kToken = "canary0token0of0a0session";
constexpr const char* kSecrets[] = {kToken, "canary0trunk0password", "canary0webhook0secret"};

sessions::Session session() {
  return {.id = 7, .token = kToken, .domain_id = 3, .msisdn = "1", .remote = "r", .node = "n1"};
}
webhooks::Event event() {
  const std::string token = kToken;
  return {.id = token + "-1",
          .token = token,
          .number = 1,
          .domain_id = 3,
          .url = "http://x",
          .body = "{\"token\":\"" + token + "\"}",
          .last_error = "answered 500"};
}
directory::Change secret_directory() {
  return *directory::parse_directory(R"({"tenants":[{"id":1,"name":"t"}],
    "domains":[{"id":3,"tenantId":1,"name":"d.example","profile":{"webhook-secret":"canary0webhook0secret"}}],
    "trunks":[{"id":8,"domainId":3,"username":"u","password":"canary0trunk0password"}]})");
}

// On SQLite, and on the PostgreSQL that VAS_TEST_POSTGRESQL names (tests/with_postgres.py starts one).
class SealedStoreTest : public testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    if (is_file()) return;
    const auto database = connect(location());
    *database << "DROP SCHEMA public CASCADE";
    *database << "CREATE SCHEMA public";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  bool is_file() const { return GetParam() == Dialect::kSqlite; }
  std::string location() const {
    return is_file() ? folder_ + "/s.sqlite" : std::getenv("VAS_TEST_POSTGRESQL");
  }
  Result<std::unique_ptr<Store>> open(const std::string& key_file) const {
    return Store::open(
        location(), "n1", [](std::function<void()> work) { work(); }, key_file);
  }
  static void fill(Store& store) {
    std::promise<bool> committed;
    store.commit(Transaction().save(session()).save(event()).apply(secret_directory()), Urgency::kMayFail,
                 [&](bool good) { committed.set_value(good); });
    EXPECT_TRUE(committed.get_future().get());
  }
  // Of every table; of a file its raw bytes too, with those that SQLite has freed.
  std::string at_rest() const {
    std::string all;
    const auto database = connect(location());
    for (const char* query :
         {"SELECT token || body FROM sessions", "SELECT id || token || url || body || last_error FROM events",
          "SELECT body FROM directory", "SELECT name || value FROM settings"}) {
      soci::rowset<std::string> rows = (database->prepare << query);
      for (const std::string& row : rows) all += row + "\n";
    }
    if (!is_file()) return all;
    for (const auto& file : std::filesystem::directory_iterator(folder_)) {
      if (file.path() == key_file_) continue;
      std::ifstream in(file.path(), std::ios::binary);
      std::stringstream bytes;
      bytes << in.rdbuf();
      all += bytes.str();
    }
    return all;
  }
  void expect_no_secret_at_rest() const {
    const std::string all = at_rest();
    EXPECT_NE(all.find("sealed1:"), std::string::npos);
    for (const char* each : kSecrets) EXPECT_EQ(all.find(each), std::string::npos) << each;
  }
  static void expect_whole(Store& store) {
    const auto contents = store.load();
    ASSERT_TRUE(contents) << contents.error();
    ASSERT_EQ(contents->sessions.size(), 1u);
    EXPECT_EQ(contents->sessions[0].token, kToken);
    ASSERT_EQ(contents->events.size(), 1u);
    EXPECT_EQ(contents->events[0].id, event().id);
    EXPECT_EQ(contents->events[0].body, event().body);
    EXPECT_EQ(contents->events[0].url, "http://x");
    std::string directory;
    for (const auto& each : contents->directory) directory += to_store_json(std::get<directory::Entry>(each));
    EXPECT_NE(directory.find("canary0trunk0password"), std::string::npos);
    EXPECT_NE(directory.find("canary0webhook0secret"), std::string::npos);
    std::promise<std::optional<sessions::Session>> found;
    store.queries().find_session(kToken, [&](auto each) { found.set_value(std::move(each)); });
    EXPECT_TRUE(found.get_future().get()) << "by its token";
  }

  const std::string folder_ = testing::TempDir() + "vas-sealed-" + std::to_string(::getpid());
  const std::string key_file_ = folder_ + "/store.key";
};

TEST_P(SealedStoreTest, HoldsNoTokenPasswordOrSecretInTheClear) {
  {
    const auto store = open(key_file_);
    ASSERT_TRUE(store) << store.error();
    fill(**store);
    expect_no_secret_at_rest();
  }
  const auto store = open(key_file_);
  ASSERT_TRUE(store) << store.error();
  expect_whole(**store);
}

TEST_P(SealedStoreTest, SealsWhatAnEarlierVersionWroteInTheClear) {
  {
    const auto database = connect(location());
    migrate(*database, GetParam(), secrets::Sealer(secrets::Key{}), latest_schema_version(GetParam()) - 1);
    const std::string token = kToken, id = event().id, body = to_store_json(session()),
                      event_body = event().body;
    *database << "INSERT INTO sessions (id, domain_id, token, body) VALUES (7, 3, :token, :body)",
        soci::use(token), soci::use(body);
    *database << "INSERT INTO events (id, token, number, domain_id, url, body, created_at, tries, "
                 "next_try_at, last_error, is_dead, node) VALUES "
                 "(:id, :token, 1, 3, 'http://x', :body, 0, 0, 0, '', 0, 'n1')",
        soci::use(id), soci::use(token), soci::use(event_body);
    for (const auto& each : secret_directory()) {
      const auto& entry = std::get<directory::Entry>(each);
      const std::string kind(to_string(kind_of(entry))), json = to_store_json(entry);
      const std::int64_t number = id_of(entry), parent = parent_of(entry);
      *database << "INSERT INTO directory (kind, id, parent, body) VALUES (:kind, :id, :parent, :body)",
          soci::use(kind), soci::use(number), soci::use(parent), soci::use(json);
    }
  }
  const auto store = open(key_file_);
  ASSERT_TRUE(store) << store.error();
  expect_no_secret_at_rest();
  expect_whole(**store);
}

TEST_P(SealedStoreTest, SaysWhenItsKeyIsLostOrAnothersAndLeavesAllAsItIs) {
  const std::string away = folder_ + "/away.key";
  fill(**open(key_file_));
  std::filesystem::rename(key_file_, away);
  const auto lost = open(key_file_);
  ASSERT_FALSE(lost);
  EXPECT_NE(lost.error().find("there is no key file " + key_file_), std::string::npos) << lost.error();
  EXPECT_FALSE(std::filesystem::exists(key_file_)) << "a new key would only hide the loss";

  ASSERT_TRUE(secrets::make_key_file(key_file_));
  const auto wrong = open(key_file_);
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().find("Nothing was changed"), std::string::npos) << wrong.error();

  const auto found = open(away);
  ASSERT_TRUE(found) << found.error();
  expect_whole(**found);
}

TEST_P(SealedStoreTest, ARowOfOneKindDoesNotPassForAnother) {
  fill(**open(key_file_));
  {
    const auto database = connect(location());
    *database << "UPDATE directory SET body = (SELECT body FROM directory WHERE kind = 'trunk') WHERE kind = "
                 "'domain'";
  }
  const auto contents = (*open(key_file_))->load();
  ASSERT_FALSE(contents);
  EXPECT_NE(contents.error().find("sealed with another key"), std::string::npos) << contents.error();
}

INSTANTIATE_TEST_SUITE_P(Sqlite, SealedStoreTest, testing::Values(Dialect::kSqlite));
INSTANTIATE_TEST_SUITE_P(Postgresql, SealedStoreTest, testing::Values(Dialect::kPostgresql));

class SealedClusterTest : public SealedStoreTest {};

TEST_P(SealedClusterTest, NodesShareTheKeyAndTheSecretIsSealedWithIt) {
  const auto first = open(key_file_);
  const auto joined = ChangeFeed::join(location(), "n1", "127.0.0.1:1", (*first)->sealer());
  ASSERT_TRUE(joined) << joined.error();
  EXPECT_EQ(at_rest().find(joined->secret), std::string::npos);

  const auto without = open(folder_ + "/second.key");
  ASSERT_FALSE(without);
  EXPECT_NE(without.error().find("copy the key file of a node"), std::string::npos) << without.error();
  std::filesystem::copy(key_file_, folder_ + "/second.key");
  const auto second = open(folder_ + "/second.key");
  ASSERT_TRUE(second) << second.error();
  EXPECT_EQ(ChangeFeed::join(location(), "n2", "127.0.0.1:2", (*second)->sealer())->secret, joined->secret);
}

INSTANTIATE_TEST_SUITE_P(Postgresql, SealedClusterTest, testing::Values(Dialect::kPostgresql));

}  // namespace
}  // namespace vas::store
