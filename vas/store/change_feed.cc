#include "vas/store/change_feed.h"

#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "base/thread_check.h"
#include "vas/store/database.h"
#include "vas/store/sealed_rows.h"

namespace vas::store {
namespace {

// A connection that is dead is found out so soon, and the nodes' addresses are read as often.
constexpr auto kHeartbeat = std::chrono::seconds(2);
// A database that restarts is back within seconds, and is not to be met by a storm.
constexpr auto kReconnectPause = std::chrono::milliseconds(500);
// Statements of one row take milliseconds: what takes longer has no server behind it.
constexpr auto kLongestQuery = std::chrono::seconds(2);
// Ids are of their node's remainder (id_space.h); the server's kMaxNodes is the same.
constexpr int kNodes = 16;
constexpr const char* kClusterSecret = "cluster-secret";

struct CloseConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, CloseConnection>;
using Rows = std::unique_ptr<PGresult, ClearResult>;

// The result of what was sent; null when there is none in time. A server that is stopped, but whose kernel
// still acknowledges, would never give one.
Rows result_of(PGconn* connection) {
  const Time give_up_at = monotonic_now() + kLongestQuery;
  while (PQisBusy(connection) == 1) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(give_up_at - monotonic_now());
    pollfd ready{PQsocket(connection), POLLIN, 0};
    if (left.count() <= 0 || poll(&ready, 1, static_cast<int>(left.count())) < 0) return nullptr;
    if (PQconsumeInput(connection) == 0) return nullptr;
  }
  return Rows(PQgetResult(connection));
}

// The rows of a statement; null when it failed, and then the connection is of no more use.
Rows query(PGconn* connection, const char* statement, const std::vector<std::string>& values = {}) {
  std::vector<const char*> texts;
  for (const std::string& value : values) texts.push_back(value.c_str());
  if (PQsendQueryParams(connection, statement, static_cast<int>(texts.size()), nullptr, texts.data(), nullptr,
                        nullptr, 0) == 0)
    return nullptr;
  Rows rows = result_of(connection);
  if (rows == nullptr) return nullptr;
  while (result_of(connection) != nullptr) {  // none is left: the statement is over
  }
  const auto status = PQresultStatus(rows.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) return nullptr;
  return rows;
}

std::string cell(const Rows& rows, int row, int column) { return PQgetvalue(rows.get(), row, column); }

std::optional<directory::Entry> entry_of(const SealedRows& rows, const std::string& kind_name,
                                         const std::string& body) {
  const auto kind = directory::kind_named(kind_name);
  if (!kind) return {};
  auto entry = rows.entry(*kind, body);
  return entry ? std::optional(std::move(*entry)) : std::nullopt;
}

// Keeps the connection that listens, and the messages that wait to leave by it. It decides when the
// connection counts as lost, and reads everything anew when it is back: what was missed meanwhile cannot be
// told. What a change means to this node it need not know; it tells each to the sink as the row is now.
class PostgresFeed final : public ChangeFeed {
 public:
  PostgresFeed(std::string url, std::string node, std::string sip, const secrets::Sealer& sealer, Sink sink)
      : rows_(sealer),
        url_(std::move(url)),
        node_(std::move(node)),
        sip_(std::move(sip)),
        sink_(std::move(sink)),
        wakeup_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    thread_ = std::thread([this] { run(); });
    pthread_setname_np(thread_.native_handle(), "vas-feed");
  }
  ~PostgresFeed() override {
    is_stopping_ = true;
    wake();
    thread_.join();
    close(wakeup_);
  }

  bool send(const std::string& to_node, std::string text) override {
    thread_check_.check();
    if (text.size() > kMaxMessage) return false;
    {
      const std::lock_guard lock(mutex_);
      if (outgoing_.size() >= kMaxQueued) return false;
      outgoing_.push_back(to_node + ":" + std::move(text));
    }
    wake();
    return true;
  }
  void ask(Time now) override {
    pulse_.ask(now);
    wake();
  }
  const Pulse& pulse() const override { return pulse_; }

 private:
  void wake() const {
    const std::uint64_t one = 1;
    (void)!write(wakeup_, &one, sizeof one);
  }

  void run() {
    while (!is_stopping_) {
      Connection connection(PQconnectdb(with_deadlines(url_).c_str()));
      const bool is_up = PQstatus(connection.get()) == CONNECTION_OK && begin(connection.get());
      if (is_up) {
        if (was_lost_) log::info("", "the shared database is back: other nodes are heard again");
        was_lost_ = false;
        pulse_.succeed();
        follow(connection.get());
      }
      if (is_stopping_) return;
      pulse_.fail(monotonic_now());
      if (!std::exchange(was_lost_, true))
        log::warn("", "the shared database is away: other nodes are not heard until it is back");
      pollfd stop{wakeup_, POLLIN, 0};
      poll(&stop, 1, static_cast<int>(kReconnectPause / std::chrono::milliseconds(1)));
      drain_wakeup();
      pulse_.confirm();
    }
  }

  // First the subscription, then the state: what happens between the two is seen twice rather than never.
  bool begin(PGconn* connection) {
    if (!query(connection, "LISTEN vas_changes") || !query(connection, "LISTEN vas_messages")) return false;
    FeedRestored all;
    const Rows sessions = query(connection, "SELECT body FROM sessions");
    const Rows directory = query(connection, "SELECT kind, body FROM directory");
    if (!sessions || !directory) return false;
    for (int i = 0; i < PQntuples(sessions.get()); ++i) {
      auto session = rows_.session(cell(sessions, i, 0));
      if (session && session->node != node_) all.sessions.push_back(std::move(*session));
    }
    for (int i = 0; i < PQntuples(directory.get()); ++i) {
      if (auto entry = entry_of(rows_, cell(directory, i, 0), cell(directory, i, 1)))
        all.directory.emplace_back(std::move(*entry));
    }
    sink_(std::move(all));
    return heartbeat(connection) &&
           query(connection, "SELECT pg_notify('vas_changes', $1)", {"n:" + node_ + ":0"}) != nullptr;
  }

  // Until the connection breaks.
  void follow(PGconn* connection) {
    Time next_heartbeat = monotonic_now() + kHeartbeat;
    while (!is_stopping_) {
      pollfd ready[] = {{PQsocket(connection), POLLIN, 0}, {wakeup_, POLLIN, 0}};
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_heartbeat - monotonic_now());
      poll(ready, 2, static_cast<int>(std::max<std::int64_t>(0, left.count())));
      drain_wakeup();
      pulse_.confirm();
      if (!send_outgoing(connection)) return;
      if (PQconsumeInput(connection) == 0) return;
      while (const auto notice =
                 std::unique_ptr<PGnotify, decltype(&PQfreemem)>(PQnotifies(connection), PQfreemem)) {
        if (!parse(connection, notice->relname, notice->extra)) return;
      }
      if (monotonic_now() < next_heartbeat) continue;
      next_heartbeat = monotonic_now() + kHeartbeat;
      if (!heartbeat(connection)) return;
    }
  }

  void drain_wakeup() const {
    std::uint64_t count = 0;
    (void)!read(wakeup_, &count, sizeof count);
  }

  bool send_outgoing(PGconn* connection) {
    for (;;) {
      std::string message;
      {
        const std::lock_guard lock(mutex_);
        if (outgoing_.empty()) return true;
        message = outgoing_.front();
      }
      if (!query(connection, "SELECT pg_notify('vas_messages', $1)", {message})) return false;
      const std::lock_guard lock(mutex_);
      outgoing_.pop_front();
    }
  }

  bool parse(PGconn* connection, std::string_view channel, std::string_view text) {
    if (channel == kMessagesChannel) {
      const auto colon = text.find(':');
      if (text.substr(0, colon) == node_) sink_(NodeMessage{std::string(text.substr(colon + 1))});
      return true;
    }
    const auto parts = split(text, ':');
    if (parts.size() < 3 || parts[1] == node_) return true;
    if (parts[0] == "n") return heartbeat(connection);  // a node has come
    if (parts[0] == "r") {
      if (const auto id = parse_number<std::int64_t>(parts[2])) sink_(SessionRemoved{*id});
      return true;
    }
    if (parts[0] == "s") {
      const Rows rows =
          query(connection, "SELECT body FROM sessions WHERE id = $1::bigint", {std::string(parts[2])});
      if (!rows) return false;
      if (PQntuples(rows.get()) == 0) return true;  // its removal is on the way
      if (auto session = rows_.session(cell(rows, 0, 0))) sink_(SessionChanged{std::move(*session)});
      return true;
    }
    return parts[0] != "d" || parts.size() < 4 || parse_entry(connection, parts[2], parts[3]);
  }

  bool parse_entry(PGconn* connection, std::string_view kind_name, std::string_view id_text) {
    const auto kind = directory::kind_named(kind_name);
    const auto id = parse_number<std::int64_t>(id_text);
    if (!kind || !id) return true;
    const Rows rows = query(connection, "SELECT body FROM directory WHERE kind = $1 AND id = $2::bigint",
                            {std::string(kind_name), std::string(id_text)});
    if (!rows) return false;
    directory::Change change;
    if (PQntuples(rows.get()) == 0) {
      change.emplace_back(directory::Removal{*kind, *id});
    } else if (auto entry = entry_of(rows_, std::string(kind_name), cell(rows, 0, 0))) {
      change.emplace_back(std::move(*entry));
    }
    if (!change.empty()) sink_(DirectoryChanged{std::move(change)});
    return true;
  }

  bool heartbeat(PGconn* connection) {
    if (!query(connection, "UPDATE nodes SET seen_at = now(), sip = $2 WHERE name = $1", {node_, sip_}))
      return false;
    const Rows rows = query(connection, "SELECT name, number, sip FROM nodes ORDER BY number");
    if (!rows) return false;
    NodesSeen seen;
    for (int i = 0; i < PQntuples(rows.get()); ++i) {
      seen.nodes.push_back(
          {cell(rows, i, 0), parse_number<int>(cell(rows, i, 1)).value_or(0), cell(rows, i, 2)});
    }
    sink_(std::move(seen));
    return true;
  }

  const SealedRows rows_;
  const std::string url_, node_, sip_;
  const Sink sink_;
  const int wakeup_;
  std::atomic<bool> is_stopping_{false};
  bool was_lost_ = false;  // the thread's
  Pulse pulse_;
  std::mutex mutex_;
  std::deque<std::string> outgoing_;
  ThreadCheck thread_check_{"ChangeFeed"};
  std::thread thread_;
};

}  // namespace

Result<ChangeFeed::Membership> ChangeFeed::join(const std::string& url, const std::string& node,
                                                const std::string& sip, const secrets::Sealer& sealer) {
  const SealedRows rows(sealer);
  const Connection connection(PQconnectdb(with_deadlines(url).c_str()));
  PGconn* raw = connection.get();
  const auto fail = [raw](const std::string& what) { return Error{what + ": " + PQerrorMessage(raw)}; };
  if (PQstatus(raw) != CONNECTION_OK) return fail("cannot reach the shared database");
  // A name keeps its number; a new one takes the lowest that is free.
  const bool is_joined =
      query(raw, "BEGIN") && query(raw, "LOCK TABLE nodes IN EXCLUSIVE MODE") &&
      query(raw,
            "INSERT INTO nodes (name, number, sip, seen_at) SELECT $1, (SELECT min(n) FROM "
            "generate_series(0, 15) n "
            "WHERE n NOT IN (SELECT number FROM nodes)), $2, now() ON CONFLICT (name) DO UPDATE SET sip = "
            "excluded.sip",
            {node, sip}) &&
      query(raw,
            "INSERT INTO settings (name, value) VALUES ('cluster-secret', $1) ON CONFLICT (name) DO NOTHING",
            {rows.setting(kClusterSecret, random_hex(32))}) &&
      query(raw, "COMMIT");
  if (!is_joined)
    return fail("this node could not be entered among the " + std::to_string(kNodes) + " there may be");
  const Rows number = query(raw, "SELECT number FROM nodes WHERE name = $1", {node});
  const Rows secret = query(raw, "SELECT value FROM settings WHERE name = 'cluster-secret'");
  if (!number || !secret || PQntuples(number.get()) == 0 || PQntuples(secret.get()) == 0)
    return fail("this node could not be read back");
  const auto opened = rows.read_setting(kClusterSecret, cell(secret, 0, 0));
  if (!opened) return Error{"the cluster's secret was changed, or sealed with another key"};
  return Membership{parse_number<int>(cell(number, 0, 0)).value_or(0), *opened};
}

std::unique_ptr<ChangeFeed> ChangeFeed::start(const std::string& url, const std::string& node,
                                              const std::string& sip, const secrets::Sealer& sealer,
                                              Sink sink) {
  return std::make_unique<PostgresFeed>(url, node, sip, sealer, std::move(sink));
}

}  // namespace vas::store
