#include "vas/app/seccomp_filter.h"

#include <asm/unistd.h>
#include <linux/bpf.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>

namespace vas::app {
namespace {

// By what they are for. One that a library may make in place of its neighbour (another libc, another kernel)
// stands beside it.
constexpr const char* kAllowed[] = {
    // Memory and threads. clone() and mmap() have conditions, below.
    "brk", "munmap", "mremap", "madvise", "futex", "futex_waitv", "set_robust_list", "get_robust_list",
    "rseq", "membarrier", "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam",
    "sched_getscheduler", "sched_getattr", "sched_setattr", "sched_get_priority_max",
    "sched_get_priority_min", "gettid", "getpid", "exit", "exit_group", "set_tid_address", "getcpu", "mlock",
    "munlock",
    // Signals, to ourselves; the end of the one child that there may be (bridge/kernel/clsact_filter.h).
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sigaltstack", "tgkill",
    "restart_syscall", "pause", "wait4",
    // Time.
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time",
    // Waiting.
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select",
    "pselect6", "eventfd2", "timerfd_create", "timerfd_settime", "timerfd_gettime", "pipe2", "pipe",
    // Files: the store, the journal, certificates.
    "read", "write", "readv", "writev", "pread64", "pwrite64", "open", "openat", "close", "close_range",
    "lseek", "fstat", "stat", "lstat", "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat",
    "faccessat2", "fsync", "fdatasync", "ftruncate", "truncate", "fallocate", "fadvise64", "rename",
    "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat", "mkdir", "mkdirat", "rmdir",
    "getdents64", "getcwd", "readlink", "readlinkat", "flock", "chmod", "fchmod", "fchmodat", "fchown",
    "utimensat", "umask", "dup", "dup2", "dup3", "fcntl", "copy_file_range", "sendfile", "msync",
    "sync_file_range",
    // Sockets. socket() and ioctl() have conditions.
    "socketpair", "bind", "listen", "accept", "accept4", "connect", "getsockname", "getpeername",
    "getsockopt", "setsockopt", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg",
    "shutdown",
    // A ring that is there; none is made.
    "io_uring_enter", "io_uring_register",
    // What we are.
    "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "getppid", "getpgrp",
    "getrusage", "sysinfo", "uname", "getrlimit", "setrlimit", "getrandom", "capget", "capset", "times"};

#ifndef VAS_SANITIZED
// And nobody but a sanitizer.
constexpr const char* kDeadlyButToSanitizers[] = {"process_vm_readv", "ptrace"};
#else
// What the sanitizers' own code makes besides.
constexpr const char* kAllowedToSanitizers[] = {
    "mincore",          "personality", "mprotect", "mmap",      "prctl",
    "process_vm_readv", "arch_prctl",  "ptrace",   "prlimit64", "kill"};
#endif

// Nobody but an intruder: it ends the process.
constexpr const char* kDeadly[] = {
    // Programs and other processes.
    "execve", "execveat", "fork", "vfork", "process_vm_writev", "pidfd_getfd",
    // Who we are, and what the system is.
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "unshare", "setns",
    "chroot", "pivot_root", "mount", "umount2", "reboot", "swapon", "acct", "init_module", "finit_module",
    "delete_module", "kexec_load", "kexec_file_load",
    // Doors that exploits know.
    "userfaultfd", "perf_event_open", "open_by_handle_at", "add_key", "request_key", "keyctl"};

constexpr int kFamilies[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

// How much waits to be read, no waiting; interfaces' names and addresses; whether a log is a terminal.
constexpr unsigned long kRequests[] = {0x541B /* FIONREAD */,
                                       0x5421 /* FIONBIO */,
                                       0x5401 /* TCGETS */,
                                       0x5413 /* TIOCGWINSZ */,
                                       0x8910 /* SIOCGIFNAME */,
                                       0x8912 /* SIOCGIFCONF */,
                                       0x8913 /* SIOCGIFFLAGS */,
                                       0x8915 /* SIOCGIFADDR */,
                                       0x8933 /* SIOCGIFINDEX */,
                                       0x5411 /* SIOCOUTQ */,
                                       0x8946 /* SIOCETHTOOL */};

struct ReleaseFilter {
  void operator()(void* filter) const { seccomp_release(filter); }
};

// Collects rules; says which one could not be added.
class Rules {
 public:
  explicit Rules(std::uint32_t otherwise) : filter_(seccomp_init(otherwise)) {}

  // One that this machine does not have is none to think of.
  template <typename... Conditions>
  void add(std::uint32_t action, const char* name, Conditions... conditions) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR || number < 0) return;
    const std::array<scmp_arg_cmp, sizeof...(conditions)> all{conditions...};
    const int error =
        seccomp_rule_add_array(filter_.get(), action, number, static_cast<unsigned>(all.size()), all.data());
    if (error != 0 && fault_.empty()) fault_ = std::string(name) + ": " + std::strerror(-error);
  }

  Result<bool> load() {
    if (!fault_.empty()) return Error{"the filter of system calls has no rule for " + fault_};
    // Its threads at once, and each one's violations in the kernel's log.
    seccomp_attr_set(filter_.get(), SCMP_FLTATR_CTL_TSYNC, 1);
    seccomp_attr_set(filter_.get(), SCMP_FLTATR_CTL_LOG, 1);
    seccomp_attr_set(filter_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree: the packet path makes calls too
    const int error = seccomp_load(filter_.get());
    if (error != 0)
      return Error{std::string("the filter of system calls is refused: ") + std::strerror(-error)};
    return true;
  }

 private:
  const std::unique_ptr<void, ReleaseFilter> filter_;
  std::string fault_;
};

scmp_arg_cmp equals(unsigned argument, std::uint64_t value) {
  return {.arg = argument, .op = SCMP_CMP_EQ, .datum_a = value, .datum_b = 0};
}
scmp_arg_cmp has_bits(unsigned argument, std::uint64_t mask, std::uint64_t bits) {
  return {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = bits};
}

void add_conditional_rules(Rules& rules) {
  // Threads, no processes. Of clone3 the filter cannot see the flags: libc falls back to clone.
  constexpr std::uint64_t kThread = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND;
  rules.add(SCMP_ACT_ALLOW, "clone", has_bits(0, kThread, kThread));
  rules.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");
  for (const int family : kFamilies)
    rules.add(SCMP_ACT_ALLOW, "socket", equals(0, static_cast<std::uint64_t>(family)));
  for (const unsigned long request : kRequests)
    rules.add(SCMP_ACT_ALLOW, "ioctl", has_bits(1, 0xffffffff, request));
  // A program that was loaded is attached to one more interface.
  for (const int command : {BPF_LINK_CREATE, BPF_OBJ_GET_INFO_BY_FD})
    rules.add(SCMP_ACT_ALLOW, "bpf", equals(0, static_cast<std::uint64_t>(command)));
  for (const int option :
       {PR_SET_NAME, PR_GET_NAME, 0x53564d41 /* PR_SET_VMA: names of libc's heaps */, PR_CAP_AMBIENT})
    rules.add(SCMP_ACT_ALLOW, "prctl", equals(0, static_cast<std::uint64_t>(option)));
#ifdef VAS_SANITIZED
  for (const char* name : kAllowedToSanitizers) rules.add(SCMP_ACT_ALLOW, name);
#else
  for (const char* name : kDeadlyButToSanitizers) rules.add(SCMP_ACT_KILL_PROCESS, name);
  // Limits are read, and our own set: argument 0 is the process.
  rules.add(SCMP_ACT_ALLOW, "prlimit64", equals(0, 0));
  // No memory is both written and executed, and none becomes executable that was data. Libraries may still be
  // loaded (name service modules).
  rules.add(SCMP_ACT_ALLOW, "mmap", has_bits(2, PROT_WRITE | PROT_EXEC, 0));
  rules.add(SCMP_ACT_ALLOW, "mmap", has_bits(2, PROT_WRITE | PROT_EXEC, PROT_WRITE));
  rules.add(SCMP_ACT_ALLOW, "mmap", has_bits(2, PROT_WRITE | PROT_EXEC, PROT_EXEC));
  rules.add(SCMP_ACT_ALLOW, "mprotect", has_bits(2, PROT_EXEC, 0));
#endif
}

// In the thread that made the call. Nothing here that is not safe in a signal's handler.
void say_which(int, siginfo_t* info, void*) {
  char text[] = "vas: system call ???? is not in the list of seccomp_filter.cc\n";
  char* digit = std::strchr(text, '?') + 3;
  for (unsigned number = static_cast<unsigned>(info->si_syscall), i = 0; i < 4; ++i, number /= 10)
    *digit-- = static_cast<char>('0' + number % 10);
  (void)!::write(STDERR_FILENO, text, sizeof text - 1);
  ::_exit(128 + SIGSYS);
}

}  // namespace

Result<bool> install_system_call_filter(SystemCallFilter filter) {
  if (filter == SystemCallFilter::kOff) return true;
  const bool is_strict = filter == SystemCallFilter::kStrict;
  if (is_strict) {
    struct sigaction action {};
    action.sa_sigaction = say_which;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSYS, &action, nullptr);
  }
  Rules rules(is_strict ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(EPERM));
  for (const char* name : kAllowed) rules.add(SCMP_ACT_ALLOW, name);
  for (const char* name : kDeadly) rules.add(SCMP_ACT_KILL_PROCESS, name);
  add_conditional_rules(rules);
  return rules.load();
}

}  // namespace vas::app
