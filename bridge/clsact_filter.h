// A classic filter at an interface's clsact hook, for kernels that cannot link programs there (before
// Linux 6.6), and the process that sees to it that it does not outlive us.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "vas/base/result.h"

namespace vas::bridge {

// The kernel keeps a filter when the process that made it is gone. So a guardian, a child that starts no
// program and keeps CAP_NET_ADMIN alone, waits at the other end of a pipe and takes the filters off when the
// pipe closes, for whatever reason. Where the guardian is killed too, the filter stays, and does nothing: its
// program relays only while the process shows that it is alive (KernelRelay::keep_alive).
//
// Threads: one at a time.
class ClsactGuardian {
 public:
  // Before there are threads: the child has none of them, nor the locks that they may hold. Makes the hook of
  // every interface that there is.
  static Result<std::unique_ptr<ClsactGuardian>> start();
  ~ClsactGuardian();  // the filters are gone when it returns
  ClsactGuardian(const ClsactGuardian&) = delete;
  ClsactGuardian& operator=(const ClsactGuardian&) = delete;

  // Attaches a program to what comes in by `ifindex`. 0, or an errno.
  int attach(std::uint32_t ifindex, int program);

 private:
  ClsactGuardian(pid_t process, int pipe) : process_(process), pipe_(pipe) {}

  const pid_t process_;
  const int pipe_;
};

}  // namespace vas::bridge
