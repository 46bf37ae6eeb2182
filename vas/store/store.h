// What must outlive the process, in SQL: sessions. Written by one thread, whatever is queued in one commit.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "vas/base/result.h"
#include "vas/sessions/session.h"

namespace soci {
class session;
}

namespace vas::store {

// Threads: save and remove from control; completions are posted through the function given to open().
// Bounds:  kMaxQueued writes wait; beyond them a write with a completion fails at once. Those without one
// (changes of
//          sessions that were acknowledged before) are always taken: a session has one row, and their number
//          is bounded.
class Store {
 public:
  static constexpr std::size_t kMaxQueued = 200'000;
  static constexpr std::size_t kMaxBatch = 500;
  using Done = std::function<void(bool committed)>;
  using Post = std::function<void(std::function<void()>)>;  // runs its argument on control's thread

  // `path` of a SQLite database; made, and migrated, when needed. synchronous=FULL: a commit survives a power
  // cut.
  static Result<std::unique_ptr<Store>> open(const std::string& path, Post post);
  ~Store();  // commits what is queued

  void save(const sessions::Session& session, Done done = {});
  void remove(const std::string& token, Done done = {});

  // Before anything is queued: what an earlier process left.
  Result<std::vector<sessions::Session>> load_sessions();

 private:
  struct Write {
    std::string token;
    std::string body;  // empty: remove
    Done done;
  };

  Store(std::unique_ptr<soci::session> database, Post post);
  void run();
  bool commit(const std::vector<Write>& batch);
  void enqueue(Write write);

  std::unique_ptr<soci::session> database_;
  const Post post_;
  std::mutex mutex_;
  std::condition_variable wakeup_;
  std::vector<Write> queue_;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace vas::store
