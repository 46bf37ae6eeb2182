#include "base/thread_check.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "base/check.h"

namespace vas {
namespace {

std::string described(pid_t thread) {
  std::string name;
  std::getline(std::ifstream(fmt::format("/proc/self/task/{}/comm", thread)), name);
  return fmt::format("{} ({})", thread, name.empty() ? "gone" : name);
}

}  // namespace

void ThreadCheck::check_slowly(const char* caller) const {
  if (this_thread_ == 0) this_thread_ = gettid();
  pid_t bound = kNobody;
  if (thread_.compare_exchange_strong(bound, this_thread_, std::memory_order_relaxed)) return;
  const bool is_on_its_thread = bound == this_thread_;
  const std::string why = is_on_its_thread
                              ? std::string()
                              : fmt::format("{} is thread {}'s; {}() is called by thread {}", object_,
                                            described(bound), caller, described(this_thread_));
  VAS_CHECK(is_on_its_thread, why.c_str());
}

}  // namespace vas
