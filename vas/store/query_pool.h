// Lists and searches: threads that read the database and do nothing else,
// so that no list delays a call or a commit.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/page.h"
#include "base/pulse.h"
#include "base/result.h"
#include "base/thread_check.h"
#include "vas/directory/directory.h"
#include "vas/sessions/session.h"
#include "vas/store/call_guard.h"
#include "vas/store/sealed_rows.h"
#include "vas/webhooks/event.h"

namespace soci {
class session;
}

namespace vas::store {

// Threads: called from control; completions are posted through the function given to open().
// Bounds:  kMaxQueued queries wait; one more gets nothing at once, as does one whose database failed.
class QueryPool {
 public:
  static constexpr std::size_t kMaxQueued = 1000;
  // So that one long list does not keep the others waiting; the writer is not theirs.
  static constexpr int kThreads = 2;
  using Done = std::function<void(std::optional<Page>)>;
  using Post = std::function<void(std::function<void()>)>;

  // `sealer`, and `guard` where the database needs one, outlive the pool.
  static Result<std::unique_ptr<QueryPool>> open(const std::string& location, Post post,
                                                 const secrets::Sealer& sealer, CallGuard* guard = nullptr);
  ~QueryPool();  // drops what waits

  void list_sessions(const sessions::SessionFilter& filter, const PageRequest& page, Done done);
  // The stored session of a token, whichever node holds it.
  void find_session(const std::string& token, std::function<void(std::optional<sessions::Session>)> done);
  void list_directory(directory::Kind kind, std::int64_t parent, const PageRequest& page, Done done);
  void list_dead_events(std::int64_t domain_id, const PageRequest& page, Done done);
  // Nothing where the domain has no such dead letter.
  void find_dead_event(std::int64_t domain_id, const std::string& id,
                       std::function<void(std::optional<webhooks::Event>)> done);

  void ask(Time now);  // every thread: see pulse.h
  const std::deque<Pulse>& pulses() const { return pulses_; }

 private:
  // `work` reads and returns what is posted; `failed` is posted instead when it cannot.
  struct Queued {
    std::function<std::function<void()>(soci::session&)> work;
    std::function<void()> failed;
  };

  QueryPool(Post post, const secrets::Sealer& sealer);
  template <typename Read, typename Finish>
  void enqueue(Read read, Finish done);
  bool wait_for_query(Pulse& pulse, std::optional<Queued>& next);
  void run(soci::session& database, CallGuard::Line& line, Pulse& pulse);
  static bool reconnect(soci::session& database, CallGuard::Line& line);

  const Post post_;
  const SealedRows rows_;
  std::mutex mutex_;
  std::condition_variable wakeup_;
  std::deque<Queued> queue_;
  bool is_stopping_ = false;
  std::vector<std::unique_ptr<soci::session>> databases_;  // one a thread, as these two
  std::deque<CallGuard::Line> lines_;
  std::deque<Pulse> pulses_;
  std::vector<std::thread> threads_;
  ThreadCheck thread_check_{"QueryPool"};
};

}  // namespace vas::store
