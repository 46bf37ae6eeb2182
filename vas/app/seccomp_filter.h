// The system calls that vas makes when it has started; no thread of it may make another. (seccomp(2))
#pragma once

#include "base/result.h"

namespace vas::app {

// What happens at a system call that is not in the list. Those that only an intruder makes (a program
// started, another process traced, a mount, a module) end the process in both.
enum class SystemCallFilter {
  kOff,
  kOn,      // it fails with EPERM, and the kernel's log says so
  kStrict,  // the process says which it was, and ends: what the tests run under
};

// For every thread there is and will be. When all is open: sockets' families, BPF and rings of io_uring are
// not to be had behind it.
Result<bool> install_system_call_filter(SystemCallFilter filter);

}  // namespace vas::app
