#include "vas/store/store.h"

#include <pthread.h>
#include <soci/soci.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/match.h"
#include "vas/store/database.h"
#include "vas/store/event_row.h"
#include "vas/store/refusal.h"
#include "vas/store/schema.h"
#include "vas/store/sealing_step.h"
#include "vas/store/statements.h"

namespace vas::store {
namespace {

// Five times a second, while the database fails.
constexpr auto kRetryPause = std::chrono::milliseconds(200);
constexpr const char* kProbe = "probe";  // the counter that says when a failing database took a write again

// The table and the key of a row, as they may stand in a log.
std::string name_of(const Transaction::Row& row) {
  const auto of_event = [](const webhooks::Event& each) {
    return "events " + log::token_hint(each.token) + "-" + std::to_string(each.number);
  };
  return match(
      row, [](const sessions::Session& each) { return "sessions " + std::to_string(each.id); },
      [](const Transaction::RemoveSession& each) { return "sessions " + std::to_string(each.id); }, of_event,
      [](const Transaction::RemoveEvent& each) { return "events " + log::token_hint(each.id); },
      [&](const Transaction::BuryEvent& each) { return of_event(each.event); },
      [](const Transaction::ForgetDeadEvents&) { return std::string("events that are dead"); },
      [](const directory::Entry& each) {
        return "directory " + std::string(to_string(kind_of(each))) + " " + std::to_string(id_of(each));
      },
      [](const directory::Removal& each) {
        return "directory " + std::string(to_string(each.kind)) + " " + std::to_string(each.id);
      },
      [](const Transaction::SetCounter& each) { return "counters " + each.name; });
}

// As it would have stood in the table: tokens are sealed wherever they rest.
std::string bytes_of(const Transaction::Row& row, const SealedRows& rows) {
  return match(
      row, [&](const sessions::Session& each) { return rows.body_of(each); },
      [&](const directory::Entry& each) { return rows.body_of(each); },
      [&](const webhooks::Event& each) { return rows.body_of(each); },
      [&](const Transaction::BuryEvent& each) { return rows.body_of(each.event); },
      [](const Transaction::RemoveSession&) { return std::string(); },
      [](const Transaction::RemoveEvent&) { return std::string(); },
      [](const Transaction::ForgetDeadEvents&) { return std::string(); },
      [](const directory::Removal&) { return std::string(); },
      [](const Transaction::SetCounter&) { return std::string(); });
}

// The database at its latest schema, and what opens its rows. The nodes of a cluster may come here together:
// whoever was first has sealed it with their key.
Result<std::unique_ptr<secrets::Sealer>> open_sealed(soci::session& database, Dialect dialect,
                                                     const std::string& key_file) {
  const auto key = key_for(database, dialect, key_file);
  if (!key) return Error{key.error()};
  auto sealer = std::make_unique<secrets::Sealer>(*key);
  migrate(database, dialect, *sealer);
  const auto still = key_for(database, dialect, key_file);
  if (!still) return Error{still.error()};
  return sealer;
}

}  // namespace

Transaction& Transaction::apply(const directory::Change& change) {
  for (const auto& each : change) std::visit([this](const auto& row) { add(row); }, each);
  return *this;
}

struct Store::Parts {
  std::unique_ptr<secrets::Sealer> sealer;
  std::unique_ptr<CallGuard> guard;
  std::unique_ptr<soci::session> database;
  std::unique_ptr<QueryPool> queries;
  std::string node;
  Post post;
  std::string set_aside;
};

Result<std::unique_ptr<Store>> Store::open(const std::string& location, const std::string& node, Post post,
                                           const std::string& key_file, const std::string& set_aside) {
  try {
    auto database = connect(location);
    auto sealer = open_sealed(*database, dialect_of(location), key_file);
    if (!sealer) return Error{"cannot open the store " + shown(location) + ": " + sealer.error()};
    auto guard = dialect_of(location) == Dialect::kPostgresql ? std::make_unique<CallGuard>() : nullptr;
    auto queries = QueryPool::open(location, post, **sealer, guard.get());
    if (!queries) return Error{queries.error()};
    return std::unique_ptr<Store>(new Store({std::move(*sealer), std::move(guard), std::move(database),
                                             std::move(*queries), node, std::move(post), set_aside}));
  } catch (const soci::soci_error& failure) {
    return Error{"cannot open the store " + shown(location) + ": " + failure.what()};
  }
}

Store::Store(Parts parts)
    : sealer_(std::move(parts.sealer)),
      guard_(std::move(parts.guard)),
      database_(std::move(parts.database)),
      queries_(std::move(parts.queries)),
      node_(std::move(parts.node)),
      is_shared_(database_->get_backend_name() == "postgresql"),
      post_(std::move(parts.post)),
      set_aside_(std::move(parts.set_aside)),
      line_(guard_.get()) {
  line_.watch(*database_);
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

void Store::commit(Transaction transaction, Urgency urgency, Done done) {
  thread_check_.check();
  {
    const std::lock_guard lock(mutex_);
    if (urgency == Urgency::kMustLast || queue_.size() < kMaxQueued) {
      awaited_ += done ? 1 : 0;
      queue_.push_back({std::move(transaction), urgency, std::move(done)});
      if (awaited_ != 0 || queue_.size() == 1 || queue_.size() >= kMaxBatch) wakeup_.notify_one();
      return;
    }
  }
  post_([done = std::move(done)] { done(false); });
}

void Store::ask(Time now) {
  {
    const std::lock_guard lock(mutex_);
    pulse_.ask(now);
  }
  wakeup_.notify_one();
}

// An empty batch when only a confirmation was asked for. False at the end.
bool Store::next_batch(std::vector<Queued>& batch) {
  batch.clear();
  std::unique_lock lock(mutex_);
  wakeup_.wait(lock, [this] { return is_stopping_ || !queue_.empty() || pulse_.is_asked(); });
  if (queue_.empty()) return !is_stopping_;
  wakeup_.wait_for(lock, kLinger,
                   [this] { return is_stopping_ || awaited_ != 0 || queue_.size() >= kMaxBatch; });
  const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), kMaxBatch));
  batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.begin() + count));
  queue_.erase(queue_.begin(), queue_.begin() + count);
  for (const Queued& each : batch) awaited_ -= each.done ? 1 : 0;
  return true;
}

void Store::run() {
  for (std::vector<Queued> batch; next_batch(batch);) {
    if (batch.empty()) {
      probe();
      continue;
    }
    const bool committed = write(batch);
    if (!committed) keep_what_must_last(batch);
    complete(std::move(batch), committed);
    if (!committed) pause();
  }
}

void Store::pause() {
  std::unique_lock lock(mutex_);
  if (is_stopping_ && !queue_.empty()) {
    log::error("", "{} writes could not be stored before the end", queue_.size());
    abandoned_ = std::exchange(queue_, {});
  }
  wakeup_.wait_for(lock, kRetryPause, [this] { return is_stopping_; });
}

// Would it take a commit? While all is well it is enough that it replies; after a failure it has to write.
void Store::probe() {
  line_.begin();
  try {
    prepare();
    soci::transaction transaction(*database_);
    if (pulse_.is_failing()) {
      statements_->write(Transaction::SetCounter{kProbe, monotonic_now().time_since_epoch().count()});
      transaction.commit();
    } else if (is_shared_) {
      *database_ << "SELECT 1";
    }
    on_success();
  } catch (const std::exception& failure) {
    on_failure(failure);
  }
  line_.end();
  pulse_.confirm();
}

// Of each session the row that counts: a state that the same commit replaces, or removes, is not written.
std::unordered_map<std::int64_t, const Transaction::Row*> Store::last_states(
    const std::vector<Queued>& batch) {
  std::unordered_map<std::int64_t, const Transaction::Row*> last;
  for (const Queued& each : batch) {
    for (const Transaction::Row& row : each.transaction.rows()) {
      match(
          row, [&](const sessions::Session& session) { last[session.id] = &row; },
          [&](const Transaction::RemoveSession& removal) { last[removal.id] = &row; },
          ignoring<webhooks::Event, Transaction::RemoveEvent, Transaction::BuryEvent,
                   Transaction::ForgetDeadEvents, directory::Entry, directory::Removal,
                   Transaction::SetCounter>);
    }
  }
  return last;
}

bool Store::write(std::vector<Queued>& batch) {
  line_.begin();
  Written written = write_together(batch);
  if (written == Written::kRowRefused) written = write_one_by_one(batch) ? Written::kAll : Written::kNothing;
  line_.end();
  pulse_.confirm();
  return written == Written::kAll;
}

Store::Written Store::write_together(const std::vector<Queued>& batch) {
  try {
    prepare();
    soci::transaction transaction(*database_);
    const auto last = last_states(batch);
    for (const Queued& each : batch) {
      for (const Transaction::Row& row : each.transaction.rows()) {
        const auto* session = std::get_if<sessions::Session>(&row);
        if (session == nullptr || last.at(session->id) == &row) write_row(row);
      }
    }
    transaction.commit();
    on_success();
    return Written::kAll;
  } catch (const std::exception& failure) {
    if (is_of_the_row(failure)) return Written::kRowRefused;
    on_failure(failure);
    return Written::kNothing;
  }
}

// Again, after a row was refused: still one commit, but each has a savepoint of its own. Every state of a
// session is written, since the last one may be what is refused.
bool Store::write_one_by_one(std::vector<Queued>& batch) {
  try {
    prepare();
    soci::transaction transaction(*database_);
    for (Queued& each : batch)
      each.urgency == Urgency::kMayFail ? write_whole(each) : write_what_is_taken(each);
    transaction.commit();
    on_success();
    return true;
  } catch (const std::exception& failure) {
    on_failure(failure);
    return false;
  }
}

void Store::write_whole(Queued& queued) {
  const auto& rows = queued.transaction.rows();
  const auto why = refusal_of([&] {
    for (const Transaction::Row& row : rows) write_row(row);
  });
  queued.is_refused = why.has_value();
  if (why) set_aside_.count_told(name_of(rows.front()), *why);
}

// A row goes out of the transaction as soon as it is kept elsewhere:
// should the commit fail, it is not kept twice.
void Store::write_what_is_taken(Queued& queued) {
  for (std::size_t i = 0; i < queued.transaction.rows().size();) {
    const Transaction::Row& row = queued.transaction.rows()[i];
    const auto why = refusal_of([&] { write_row(row); });
    if (!why) {
      ++i;
      continue;
    }
    set_aside_.keep(name_of(row), bytes_of(row, rows_), *why);
    queued.transaction.erase(i);
  }
}

std::optional<std::string> Store::refusal_of(const std::function<void()>& write) {
  *database_ << "SAVEPOINT one";
  std::optional<std::string> why;
  try {
    write();
  } catch (const std::exception& failure) {
    if (!is_of_the_row(failure)) throw;
    why = reason_of(failure);
  }
  if (why) *database_ << "ROLLBACK TO SAVEPOINT one";
  *database_ << "RELEASE SAVEPOINT one";
  return why;
}

void Store::write_row(const Transaction::Row& row) {
  line_.step();
  pulse_.confirm();
  statements_->write(row);
}

// A server's connection may be what failed last.
void Store::prepare() {
  if (pulse_.is_failing() && is_shared_) {
    database_->reconnect();
    line_.watch(*database_);
    line_.step();
  }
  if (statements_ == nullptr) statements_ = std::make_unique<Statements>(*database_, rows_, node_);
}

void Store::on_success() {
  if (pulse_.is_failing()) log::info("", "the store commits again");
  pulse_.succeed();
}

// Said once: what must last is tried again five times a second.
void Store::on_failure(const std::exception& failure) {
  if (!pulse_.is_failing()) log::error("", "the store does not commit: {}", reason_of(failure));
  pulse_.fail(monotonic_now());
  statements_.reset();
}

// Back to the front of the queue, in their order; `batch` keeps those that are told of the failure.
void Store::keep_what_must_last(std::vector<Queued>& batch) {
  const auto kept = std::stable_partition(
      batch.begin(), batch.end(), [](const Queued& each) { return each.urgency == Urgency::kMayFail; });
  const std::lock_guard lock(mutex_);
  for (auto each = kept; each != batch.end(); ++each) awaited_ += each->done ? 1 : 0;
  queue_.insert(queue_.begin(), std::make_move_iterator(kept), std::make_move_iterator(batch.end()));
  batch.erase(kept, batch.end());
}

void Store::complete(std::vector<Queued> batch, bool committed) {
  post_([batch = std::move(batch), committed] {
    for (const Queued& each : batch) {
      if (each.done) each.done(committed && !each.is_refused);
    }
  });
}

Result<Store::Contents> Store::load() {
  thread_check_.check();
  try {
    Contents contents;
    const auto is_ours = [&](const sessions::Session& session) {
      return !is_shared_ || session.node == node_;
    };
    soci::rowset<std::string> sessions = (database_->prepare << "SELECT body FROM sessions ORDER BY id");
    for (const std::string& body : sessions) {
      auto session = rows_.session(body);
      if (session && is_ours(*session)) contents.sessions.push_back(std::move(*session));
    }
    soci::rowset<soci::row> events =
        (database_->prepare
             << "SELECT " << kEventColumns
             << " FROM events WHERE is_dead = 0 AND node IN (:node, '') ORDER BY token, number",
         soci::use(node_));
    for (const soci::row& row : events) {
      if (auto event = event_of(row, rows_)) contents.events.push_back(std::move(*event));
    }
    soci::rowset<soci::row> entries = (database_->prepare << "SELECT kind, body FROM directory");
    for (const soci::row& row : entries) {
      const auto name = row.get<std::string>(0);
      const auto kind = directory::kind_named(name);
      if (!kind) continue;
      auto entry = rows_.entry(*kind, row.get<std::string>(1));
      if (!entry) return Error{"the store holds a " + name + " that cannot be read: " + entry.error()};
      contents.directory.emplace_back(std::move(*entry));
    }
    soci::rowset<soci::row> counters = (database_->prepare << "SELECT name, value FROM counters");
    for (const soci::row& row : counters)
      contents.counters.emplace_back(row.get<std::string>(0), row.get<long long>(1));
    return contents;
  } catch (const std::exception& failure) {  // soci's own, or a column of another type
    return Error{std::string("cannot read the store: ") + failure.what()};
  }
}

}  // namespace vas::store
