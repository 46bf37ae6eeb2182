#include "vas/store/query_pool.h"

#include <pthread.h>
#include <soci/soci.h>

#include <boost/json.hpp>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "vas/sessions/session.h"
#include "vas/store/database.h"
#include "vas/store/event_row.h"
#include "vas/store/refusal.h"

namespace vas::store {
namespace {

// Collects the elements of one page. One row more than the page holds is asked for:
// it says that there are more.
class PageWriter {
 public:
  explicit PageWriter(std::size_t limit) : limit_(limit) {}
  std::size_t rows_to_ask_for() const { return limit_ + 1; }
  bool is_full() const { return count_ >= limit_; }

  void add(const std::string& element, std::string cursor) {
    page_.json += count_++ == 0 ? "[" : ",";
    page_.json += element;
    last_ = std::move(cursor);
  }
  void mark_more() { page_.next = last_; }
  Page finish() {
    page_.json += count_ == 0 ? "[]" : "]";
    return std::move(page_);
  }

 private:
  const std::size_t limit_;
  std::size_t count_ = 0;
  std::string last_;
  Page page_;
};

bool matches(const sessions::SessionFilter& filter, const sessions::Session& session) {
  return (filter.status.empty() || filter.status == to_string(session.status)) &&
         (filter.direction.empty() || filter.direction == to_string(session.direction)) &&
         (filter.msisdn.empty() || filter.msisdn == session.msisdn);
}

Page read_sessions(soci::session& database, const SealedRows& sealed, const sessions::SessionFilter& filter,
                   const PageRequest& request) {
  PageWriter page(request.limit);
  std::int64_t after = parse_number<std::int64_t>(request.after).value_or(0);
  std::int64_t id = 0;
  std::string body;
  soci::statement rows =
      (database.prepare
           << "SELECT id, body FROM sessions WHERE domain_id = :domain AND id > :after ORDER BY id",
       soci::use(filter.domain_id), soci::use(after), soci::into(id), soci::into(body));
  rows.execute();
  while (rows.fetch()) {
    const auto session = sealed.session(body);
    if (!session || !matches(filter, *session)) continue;
    if (page.is_full()) {
      page.mark_more();
      break;
    }
    page.add(to_json(*session, false), std::to_string(id));
  }
  return page.finish();
}

std::optional<sessions::Session> read_session(soci::session& database, const SealedRows& sealed,
                                              const std::string& token) {
  const std::string look_up = sealed.look_up(token);
  std::string body;
  database << "SELECT body FROM sessions WHERE token = :token", soci::use(look_up), soci::into(body);
  return database.got_data() ? sealed.session(body) : std::nullopt;
}

Page read_directory(soci::session& database, const SealedRows& sealed, directory::Kind kind,
                    std::int64_t parent, const PageRequest& request) {
  PageWriter page(request.limit);
  const std::string name(to_string(kind));
  std::int64_t after = parse_number<std::int64_t>(request.after).value_or(0);
  std::size_t count = page.rows_to_ask_for();
  std::int64_t id = 0;
  std::string body;
  soci::statement rows =
      (database.prepare << "SELECT id, body FROM directory WHERE kind = :kind AND parent = "
                           ":parent AND id > :after ORDER BY id LIMIT :count",
       soci::use(name), soci::use(parent), soci::use(after), soci::use(count), soci::into(id),
       soci::into(body));
  rows.execute();
  while (rows.fetch()) {
    const auto entry = sealed.entry(kind, body);
    if (!entry) continue;
    if (page.is_full()) {
      page.mark_more();
      break;
    }
    page.add(to_json(*entry), std::to_string(id));
  }
  return page.finish();
}

// In the order of their keys, which is that of their hashes: steady, and nobody's business.
Page read_dead_events(soci::session& database, const SealedRows& sealed, std::int64_t domain_id,
                      const PageRequest& request) {
  PageWriter page(request.limit);
  std::size_t count = page.rows_to_ask_for();
  soci::rowset<soci::row> rows =
      (database.prepare
           << "SELECT " << kEventColumns
           << " FROM events WHERE is_dead = 1 AND domain_id = :domain AND id > :after ORDER BY id "
              "LIMIT :count",
       soci::use(domain_id), soci::use(request.after), soci::use(count));
  for (const soci::row& row : rows) {
    const auto event = event_of(row, sealed);
    if (!event) continue;
    if (page.is_full()) {
      page.mark_more();
      break;
    }
    const boost::json::object element{{"id", event->id},       {"token", event->token},
                                      {"url", event->url},     {"createdAt", to_rfc3339(event->created_at)},
                                      {"tries", event->tries}, {"lastError", or_null(event->last_error)}};
    page.add(to_text(element), row.get<std::string>(0));
  }
  return page.finish();
}

std::optional<webhooks::Event> read_dead_event(soci::session& database, const SealedRows& sealed,
                                               std::int64_t domain_id, const std::string& id) {
  const std::string key = sealed.look_up(id);
  soci::rowset<soci::row> rows =
      (database.prepare << "SELECT " << kEventColumns
                        << " FROM events WHERE is_dead = 1 AND domain_id = :domain AND id = :id",
       soci::use(domain_id), soci::use(key));
  for (const soci::row& row : rows) return event_of(row, sealed);
  return {};
}

}  // namespace

Result<std::unique_ptr<QueryPool>> QueryPool::open(const std::string& location, Post post,
                                                   const secrets::Sealer& sealer, CallGuard* guard) {
  std::unique_ptr<QueryPool> pool(new QueryPool(std::move(post), sealer));
  try {
    for (int i = 0; i < kThreads; ++i) {
      pool->databases_.push_back(connect_to_read(location));
      pool->lines_.emplace_back(guard).watch(*pool->databases_.back());
      pool->pulses_.emplace_back();
    }
  } catch (const soci::soci_error& failure) {
    return Error{"cannot read the store " + shown(location) + ": " + failure.what()};
  }
  for (std::size_t i = 0; i < pool->databases_.size(); ++i) {
    pool->threads_.emplace_back(
        [raw = pool.get(), i] { raw->run(*raw->databases_[i], raw->lines_[i], raw->pulses_[i]); });
    pthread_setname_np(pool->threads_.back().native_handle(), "vas-query");
  }
  return pool;
}

QueryPool::QueryPool(Post post, const secrets::Sealer& sealer) : post_(std::move(post)), rows_(sealer) {}

QueryPool::~QueryPool() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wakeup_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

// What `read` returns is handed to `done` on control's thread; nothing, when it could not be read.
template <typename Read, typename Finish>
void QueryPool::enqueue(Read read, Finish done) {
  const auto shared = std::make_shared<Finish>(std::move(done));
  Queued queued{[read = std::move(read), shared](soci::session& database) -> std::function<void()> {
                  return [shared, found = read(database)] { (*shared)(std::move(found)); };
                },
                [shared] { (*shared)(std::nullopt); }};
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() < kMaxQueued) {
      queue_.push_back(std::move(queued));
      wakeup_.notify_one();
      return;
    }
  }
  post_(std::move(queued.failed));
}

void QueryPool::list_sessions(const sessions::SessionFilter& filter, const PageRequest& page, Done done) {
  thread_check_.check();
  enqueue(
      [this, filter, page](soci::session& database) { return read_sessions(database, rows_, filter, page); },
      std::move(done));
}

void QueryPool::find_session(const std::string& token,
                             std::function<void(std::optional<sessions::Session>)> done) {
  thread_check_.check();
  enqueue([this, token](soci::session& database) { return read_session(database, rows_, token); },
          std::move(done));
}

void QueryPool::list_directory(directory::Kind kind, std::int64_t parent, const PageRequest& page,
                               Done done) {
  thread_check_.check();
  enqueue([=, this](soci::session& database) { return read_directory(database, rows_, kind, parent, page); },
          std::move(done));
}

void QueryPool::list_dead_events(std::int64_t domain_id, const PageRequest& page, Done done) {
  thread_check_.check();
  enqueue([=, this](soci::session& database) { return read_dead_events(database, rows_, domain_id, page); },
          std::move(done));
}

void QueryPool::find_dead_event(std::int64_t domain_id, const std::string& id,
                                std::function<void(std::optional<webhooks::Event>)> done) {
  thread_check_.check();
  enqueue([=, this](soci::session& database) { return read_dead_event(database, rows_, domain_id, id); },
          std::move(done));
}

void QueryPool::ask(Time now) {
  {
    const std::lock_guard lock(mutex_);
    for (Pulse& pulse : pulses_) pulse.ask(now);
  }
  wakeup_.notify_all();
}

// Nothing in `next` when only a confirmation was asked for. False at the end.
bool QueryPool::wait_for_query(Pulse& pulse, std::optional<Queued>& next) {
  std::unique_lock lock(mutex_);
  wakeup_.wait(lock, [&] { return is_stopping_ || !queue_.empty() || pulse.is_asked(); });
  if (is_stopping_) return false;
  if (queue_.empty()) return true;
  next = std::move(queue_.front());
  queue_.pop_front();
  return true;
}

void QueryPool::run(soci::session& database, CallGuard::Line& line, Pulse& pulse) {
  for (std::optional<Queued> next; wait_for_query(pulse, next); next.reset()) {
    pulse.confirm();
    if (!next) continue;
    line.begin();
    try {
      post_(next->work(database));
      pulse.succeed();
    } catch (const std::exception& failure) {  // soci's own, or a column of another type
      log::error("", "the store could not be read: {}", reason_of(failure));
      post_(std::move(next->failed));
      reconnect(database, line) ? pulse.succeed() : pulse.fail(monotonic_now());
    }
    line.end();
  }
}

// A server that is away is tried again by the next query.
bool QueryPool::reconnect(soci::session& database, CallGuard::Line& line) {
  try {
    if (database.is_connected() && database.get_backend_name() != "postgresql") return true;
    database.reconnect();
    line.watch(database);
    line.step();
    database << "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY";
    return true;
  } catch (const soci::soci_error&) {
    return false;
  }
}

}  // namespace vas::store
