#include "vas/store/store.h"

#include <pthread.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <algorithm>
#include <array>

#include "vas/base/log.h"

namespace vas::store {
namespace {

// Each step brings the schema from its index to the next version.
constexpr std::array kMigrations = {
    "CREATE TABLE sessions (token TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL) WITHOUT ROWID",
};

void migrate(soci::session& database) {
  int version = 0;
  database << "PRAGMA user_version", soci::into(version);
  for (auto step = static_cast<std::size_t>(version); step < kMigrations.size(); ++step) {
    soci::transaction transaction(database);
    database << kMigrations[step];
    database << "PRAGMA user_version = " << step + 1;
    transaction.commit();
  }
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::string& path, Post post) {
  try {
    auto database = std::make_unique<soci::session>(soci::sqlite3, "db=" + path + " timeout=10");
    std::string mode;
    *database << "PRAGMA journal_mode = WAL", soci::into(mode);
    *database << "PRAGMA synchronous = FULL";
    migrate(*database);
    return std::unique_ptr<Store>(new Store(std::move(database), std::move(post)));
  } catch (const soci::soci_error& failure) {
    return Error{"cannot open the store " + path + ": " + failure.what()};
  }
}

Store::Store(std::unique_ptr<soci::session> database, Post post)
    : database_(std::move(database)), post_(std::move(post)) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "vas-store");
}

Store::~Store() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wakeup_.notify_one();
  thread_.join();
}

void Store::save(const sessions::Session& session, Done done) {
  enqueue({session.token, sessions::to_store_json(session), std::move(done)});
}

void Store::remove(const std::string& token, Done done) { enqueue({token, {}, std::move(done)}); }

void Store::enqueue(Write write) {
  {
    const std::lock_guard lock(mutex_);
    const bool is_full = queue_.size() >= kMaxQueued && write.done;
    if (!is_full) {
      queue_.push_back(std::move(write));
      wakeup_.notify_one();
      return;
    }
  }
  post_([done = std::move(write.done)] { done(false); });
}

void Store::run() {
  for (;;) {
    std::vector<Write> batch;
    {
      std::unique_lock lock(mutex_);
      wakeup_.wait(lock, [this] { return is_stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), kMaxBatch));
      batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.begin() + count));
      queue_.erase(queue_.begin(), queue_.begin() + count);
    }
    const bool committed = commit(batch);
    post_([batch = std::move(batch), committed] {
      for (const Write& write : batch) {
        if (write.done) write.done(committed);
      }
    });
  }
}

bool Store::commit(const std::vector<Write>& batch) {
  try {
    soci::transaction transaction(*database_);
    std::string token;
    std::string body;
    soci::statement save = (database_->prepare << "INSERT INTO sessions (token, body) VALUES (:token, :body) "
                                                  "ON CONFLICT (token) DO UPDATE SET body = excluded.body",
                            soci::use(token), soci::use(body));
    soci::statement remove =
        (database_->prepare << "DELETE FROM sessions WHERE token = :token", soci::use(token));
    for (const Write& write : batch) {
      token = write.token;
      body = write.body;
      (body.empty() ? remove : save).execute(true);
    }
    transaction.commit();
    return true;
  } catch (const soci::soci_error& failure) {
    log::error("", "the store could not commit {} writes: {}", batch.size(), failure.what());
    return false;
  }
}

Result<std::vector<sessions::Session>> Store::load_sessions() {
  try {
    std::vector<sessions::Session> sessions;
    soci::rowset<std::string> rows = (database_->prepare << "SELECT body FROM sessions");
    for (const std::string& body : rows) {
      if (auto session = sessions::parse_store_json(body)) sessions.push_back(std::move(*session));
    }
    return sessions;
  } catch (const soci::soci_error& failure) {
    return Error{std::string("cannot read the sessions of the store: ") + failure.what()};
  }
}

}  // namespace vas::store
