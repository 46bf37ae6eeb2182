// Whether an object is used by the one thread that it is for.
#pragma once

#include <sys/types.h>

#include <atomic>

namespace vas {

// Bound to the thread that checks first: what is made on one thread and used on another needs no word of it.
// A copy has a thread of its own, and what is assigned to keeps its own.
//
// Threads: any. Costs a load and a comparison where all is well.
class ThreadCheck {
 public:
  // `object`: a literal, for whoever reads why the program ended.
  explicit constexpr ThreadCheck(const char* object) : object_(object) {}
  ThreadCheck(const ThreadCheck& other) : object_(other.object_) {}
  ThreadCheck& operator=(const ThreadCheck&) { return *this; }

  // Ends the program when it is another thread than the object's: that is our own bug (check.h).
  // `caller`: the function that checks; clang has no std::source_location with the library of gcc.
  void check(const char* caller = __builtin_FUNCTION()) const {
    if (thread_.load(std::memory_order_relaxed) != this_thread_) check_slowly(caller);
  }

 private:
  static constexpr pid_t kNobody = -1;

  void check_slowly(const char* caller) const;

  static constinit thread_local inline pid_t this_thread_ = 0;  // as the kernel numbers it; 0: not asked yet

  const char* object_;
  mutable std::atomic<pid_t> thread_{kNobody};
};

}  // namespace vas
