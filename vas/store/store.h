// What must outlive the process, in SQL: sessions, callbacks that wait, the directory. Written by one thread,
// whatever is queued in one commit; lists are read by a pool of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/pulse.h"
#include "base/result.h"
#include "base/thread_check.h"
#include "vas/directory/directory.h"
#include "vas/sessions/session.h"
#include "vas/store/call_guard.h"
#include "vas/store/query_pool.h"
#include "vas/store/sealed_rows.h"
#include "vas/store/set_aside.h"
#include "vas/webhooks/event.h"

namespace soci {
class session;
}

namespace vas::store {

// Changes that are committed together or not at all.
class Transaction {
 public:
  struct RemoveSession {
    std::int64_t id;
  };
  struct RemoveEvent {
    std::string id;
  };
  struct BuryEvent {  // given up: it waits among the dead letters for a replay
    webhooks::Event event;
  };
  struct ForgetDeadEvents {
    WallTime created_before;
  };
  struct SetCounter {
    std::string name;
    std::int64_t value;
  };
  using Row = std::variant<sessions::Session, RemoveSession, webhooks::Event, RemoveEvent, BuryEvent,
                           ForgetDeadEvents, directory::Entry, directory::Removal, SetCounter>;

  Transaction& save(const sessions::Session& session) { return add(session); }
  Transaction& remove(const sessions::Session& session) { return add(RemoveSession{session.id}); }
  Transaction& save(const webhooks::Event& event) { return add(event); }
  Transaction& remove_event(const std::string& id) { return add(RemoveEvent{id}); }
  Transaction& bury(const webhooks::Event& event) { return add(BuryEvent{event}); }
  Transaction& forget_dead_events(WallTime created_before) { return add(ForgetDeadEvents{created_before}); }
  Transaction& apply(const directory::Change& change);
  Transaction& set_counter(const std::string& name, std::int64_t value) {
    return add(SetCounter{name, value});
  }
  const std::vector<Row>& rows() const { return rows_; }
  void erase(std::size_t index) { rows_.erase(rows_.begin() + static_cast<std::ptrdiff_t>(index)); }

 private:
  Transaction& add(Row row) {
    rows_.push_back(std::move(row));
    return *this;
  }
  std::vector<Row> rows_;
};

// What happens to a transaction when the database fails, or too many wait; and to a row of it that the
// database refuses for what is in it.
enum class Urgency {
  kMayFail,   // `done(false)`: whoever asked is told, and nothing changed
  kMustLast,  // of what was acknowledged before: it stays queued until the database takes it. A row that it
              // will never take is set aside (set_aside.h), and the others are written
};

// The one writer of the database. It keeps the transactions that wait and the connection that writes them. It
// decides how many go into one commit, when the database counts as failing, and which row is set aside
// because it will never be taken. What a row is for it need not know; lists are read by QueryPool, on
// connections of its own.
//
// Threads: control only; completions are posted through the function given to open(), in the order of commit.
// Bounds:  kMaxQueued transactions that may fail wait; one more fails at once. Those that must last are
//          always taken: they belong to sessions and callbacks, whose numbers are bounded.
class Store {
 public:
  static constexpr std::size_t kMaxQueued = 200'000;
  // A commit stays within milliseconds, so that who waits for the next one is not kept.
  static constexpr std::size_t kMaxBatch = 500;
  // What nobody waits for may wait for company: one commit for many changes.
  static constexpr auto kLinger = std::chrono::milliseconds(20);
  using Done = std::function<void(bool committed)>;
  using Post = std::function<void(std::function<void()>)>;  // runs its argument on control's thread

  // `location`: see database.h; made, and migrated, when needed. `node`: whose sessions and callbacks are
  // ours, where several share a database. `key_file`: what its secrets are sealed with; made with the
  // database. `set_aside`: the file of refused rows.
  static Result<std::unique_ptr<Store>> open(const std::string& location, const std::string& node, Post post,
                                             const std::string& key_file, const std::string& set_aside = {});
  ~Store();  // commits what is queued

  void commit(Transaction transaction, Urgency urgency, Done done = {});
  QueryPool& queries() { return *queries_; }
  const secrets::Sealer& sealer() const { return *sealer_; }

  // The writer's pulse. Whoever asks it makes the writer try whether the database would take a commit.
  void ask(Time now);
  const Pulse& pulse() const { return pulse_; }
  std::uint64_t rows_refused() const { return set_aside_.count(); }

  // Before anything is queued: what an earlier process left.
  struct Contents {
    std::vector<sessions::Session> sessions;  // of this node
    std::vector<webhooks::Event> events;      // of this node, by session and number
    directory::Change directory;
    std::vector<std::pair<std::string, std::int64_t>> counters;
  };
  Result<Contents> load();

 private:
  struct Queued {
    Transaction transaction;
    Urgency urgency = Urgency::kMayFail;
    Done done;
    bool is_refused = false;
  };
  enum class Written { kAll, kRowRefused, kNothing };

  struct Parts;
  explicit Store(Parts parts);
  class Statements;

  void run();
  bool next_batch(std::vector<Queued>& batch);
  void probe();
  bool write(std::vector<Queued>& batch);
  Written write_together(const std::vector<Queued>& batch);
  bool write_one_by_one(std::vector<Queued>& batch);
  void write_whole(Queued& queued);
  void write_what_is_taken(Queued& queued);
  std::optional<std::string> refusal_of(const std::function<void()>& write);
  void write_row(const Transaction::Row& row);
  void pause();
  static std::unordered_map<std::int64_t, const Transaction::Row*> last_states(
      const std::vector<Queued>& batch);
  void complete(std::vector<Queued> batch, bool committed);
  void keep_what_must_last(std::vector<Queued>& batch);

  void prepare();
  void on_success();
  void on_failure(const std::exception& failure);

  std::unique_ptr<secrets::Sealer> sealer_;
  const SealedRows rows_{*sealer_};
  std::unique_ptr<CallGuard> guard_;  // of a server's connections; a file has none
  std::unique_ptr<soci::session> database_;
  std::unique_ptr<QueryPool> queries_;
  const std::string node_;
  const bool is_shared_;  // with other nodes, on a server
  const Post post_;
  SetAside set_aside_;
  CallGuard::Line line_;
  Pulse pulse_;
  std::mutex mutex_;
  std::condition_variable wakeup_;
  std::vector<Queued> queue_;
  std::vector<Queued> abandoned_;  // at the end: who waits for them is let go by the thread that owns them
  std::size_t awaited_ = 0;        // of the queue: somebody waits for their commit
  bool is_stopping_ = false;
  std::unique_ptr<Statements> statements_;  // the writer's, prepared when first needed
  ThreadCheck thread_check_{"Store"};
  std::thread thread_;
};

}  // namespace vas::store
