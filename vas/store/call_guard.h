// An end to every call into a database server that does not reply.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/time.h"

namespace soci {
class session;
}

namespace vas::store {

// PostgreSQL's library waits without an end for a server that is stopped but whose kernel still acknowledges:
// no setting of the connection ends that. So a thread of its own closes the connection's socket, and the
// library gives up at once.
//
// Threads: a Line belongs to the thread that uses its connection. The guard's own thread sleeps while no call
//          is under way, and wakes once in `longest` while there are some.
class CallGuard {
 public:
  // A commit takes milliseconds; with the connect beside it whoever asked has a reply within five seconds.
  static constexpr Duration kLongest = std::chrono::milliseconds(2000);

  explicit CallGuard(Duration longest = kLongest);
  ~CallGuard();  // after every Line of it
  CallGuard(const CallGuard&) = delete;
  CallGuard& operator=(const CallGuard&) = delete;

  // One connection.
  class Line {
   public:
    explicit Line(CallGuard* guard);  // none: nothing is watched
    ~Line();
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;

    // After each connect: what is to be closed. Of SQLite there is nothing, and it has a timeout of its own.
    void watch(soci::session& database);
    void begin();
    void step();  // a call ended, the next begins
    void end();

   private:
    friend class CallGuard;
    CallGuard* const guard_;
    int socket_ = -1;  // a copy of the connection's: its number cannot come to mean another
    std::atomic<Duration::rep> began_at_{0};  // 0: no call is under way
  };

 private:
  void run();
  bool is_idle() const;
  Duration cut_overdue(Time now);  // until the next may be overdue

  const Duration longest_;
  std::mutex mutex_;
  std::condition_variable wakeup_;
  std::vector<Line*> lines_;
  bool is_asleep_ = false;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace vas::store
