#include "vas/app/seccomp_filter.h"

#include <gtest/gtest.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <functional>
#include <thread>

namespace vas::app {
namespace {

// What came of it in a process that the filter lies over: the errno it got (0: none), or minus the signal
// that ended it.
int behind_filter(SystemCallFilter filter, const std::function<bool()>& attempt) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!install_system_call_filter(filter)) ::_exit(255);
    errno = 0;
    ::_exit(attempt() ? 0 : errno);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}
int on(const std::function<bool()>& attempt) { return behind_filter(SystemCallFilter::kOn, attempt); }

bool starts_a_program() {
  char name[] = "/bin/true";
  char* const arguments[] = {name, nullptr};
  return ::execve(name, arguments, nullptr) == 0;
}

TEST(SystemCallFilter, EndsWhoeverStartsAProgram) {
  EXPECT_EQ(on(starts_a_program), -SIGSYS);
  EXPECT_EQ(behind_filter(SystemCallFilter::kStrict, starts_a_program), -SIGSYS);
  EXPECT_EQ(behind_filter(SystemCallFilter::kOff, [] { return ::getppid() > 0; }), 0);
}

TEST(SystemCallFilter, LetsThreadsBeMadeAndNoProcesses) {
  EXPECT_EQ(on([] {
              bool ran = false;
              std::thread([&] { ran = true; }).join();
              return ran;
            }),
            0);
  EXPECT_EQ(on([] { return ::fork() >= 0; }), EPERM);
}

TEST(SystemCallFilter, IsOverThreadsThatWereThereBefore) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    std::atomic<bool> is_filtered{false};
    std::thread before([&] {
      while (!is_filtered) ::usleep(1000);
      starts_a_program();
    });
    if (!install_system_call_filter(SystemCallFilter::kOn)) ::_exit(255);
    is_filtered = true;
    before.join();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

TEST(SystemCallFilter, LetsSocketsOfTheNetworkBeMadeAndNoOthers) {
  for (const int family : {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK})
    EXPECT_EQ(on([=] { return ::socket(family, SOCK_DGRAM, 0) >= 0; }), 0) << family;
  for (const int family : {AF_PACKET, AF_ALG, AF_VSOCK, AF_BLUETOOTH})
    EXPECT_EQ(on([=] { return ::socket(family, SOCK_RAW, 0) >= 0; }), EPERM) << family;
}

#ifndef VAS_SANITIZED
TEST(SystemCallFilter, LetsNoMemoryBeWrittenAndExecuted) {
  const auto maps = [](int protection) {
    return
        [=] { return ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED; };
  };
  EXPECT_EQ(on(maps(PROT_READ | PROT_WRITE)), 0);
  EXPECT_EQ(on(maps(PROT_READ | PROT_WRITE | PROT_EXEC)), EPERM);
  EXPECT_EQ(on([] {
              void* memory =
                  ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return ::mprotect(memory, 4096, PROT_READ | PROT_EXEC) == 0;
            }),
            EPERM);
}
#endif

TEST(SystemCallFilter, LetsNoRingBeMade) {
  EXPECT_EQ(on([] {
              io_uring_params parameters{};
              return ::syscall(SYS_io_uring_setup, 8, &parameters) >= 0;
            }),
            EPERM);
}

TEST(SystemCallFilter, SaysWhichItWasWhereItIsStrict) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(behind_filter(SystemCallFilter::kStrict, [] { return ::syscall(SYS_sethostname, "x", 1) == 0; }),
            128 + SIGSYS);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("system call 0170 is not in the list"),
            std::string::npos);
}

}  // namespace
}  // namespace vas::app
