#include "bridge/clsact_filter.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <net/if.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "vas/base/capabilities.h"

namespace vas::bridge {
namespace {

bpf_tc_hook ingress_of(std::uint32_t ifindex) {
  bpf_tc_hook hook{};
  hook.sz = sizeof hook;
  hook.ifindex = static_cast<int>(ifindex);
  hook.attach_point = BPF_TC_INGRESS;
  return hook;
}

bpf_tc_opts no_options() {
  bpf_tc_opts options{};
  options.sz = sizeof options;
  return options;
}

// The kernel stops an interface for a moment when its first hook is made, and loses what is on its way there:
// better before there are calls. Where that fails, or the interface comes later, attach() makes it.
void make_hooks() {
  struct if_nameindex* const all = if_nameindex();
  if (all == nullptr) return;
  for (const struct if_nameindex* each = all; each->if_index != 0; ++each) {
    bpf_tc_hook hook = ingress_of(each->if_index);
    bpf_tc_hook_create(&hook);
  }
  if_freenameindex(all);
}

// The guardian's own life: reads what is attached until the pipe ends.
[[noreturn]] void guard(int pipe) {
  setsid();  // a signal to our terminal is not for it
  dup2(pipe, STDIN_FILENO);
  close_range(STDERR_FILENO + 1, ~0U, 0);  // sockets, the other end of the pipe
  prctl(PR_SET_NAME, "vas-guardian");
  keep_capabilities(Capabilities().with(CAP_NET_ADMIN));
  libbpf_set_print(nullptr);
  struct Filter {
    unsigned ifindex = 0;
    unsigned handle = 0;
    unsigned priority = 0;
  };
  std::vector<Filter> filters;
  Filter next;
  while (std::scanf("%u %u %u", &next.ifindex, &next.handle, &next.priority) == 3) filters.push_back(next);
  for (const Filter& filter : filters) {
    const bpf_tc_hook hook = ingress_of(filter.ifindex);
    bpf_tc_opts options = no_options();
    options.handle = filter.handle;
    options.priority = filter.priority;
    bpf_tc_detach(&hook, &options);  // an interface that is gone has taken its filters along
  }
  _exit(0);
}

}  // namespace

Result<std::unique_ptr<ClsactGuardian>> ClsactGuardian::start() {
  std::array<int, 2> pipe{};
  if (pipe2(pipe.data(), O_CLOEXEC) != 0) return Error{std::string("no pipe: ") + std::strerror(errno)};
  const pid_t process = fork();
  if (process == 0) guard(pipe[0]);
  const int reason = errno;
  close(pipe[0]);
  if (process > 0) {
    make_hooks();
    return std::unique_ptr<ClsactGuardian>(new ClsactGuardian(process, pipe[1]));
  }
  close(pipe[1]);
  return Error{std::string("no guardian of the filters: ") + std::strerror(reason)};
}

ClsactGuardian::~ClsactGuardian() {
  close(pipe_);
  waitpid(process_, nullptr, 0);
}

int ClsactGuardian::attach(std::uint32_t ifindex, int program) {
  bpf_tc_hook hook = ingress_of(ifindex);
  if (const int error = bpf_tc_hook_create(&hook); error != 0 && error != -EEXIST) return -error;
  bpf_tc_opts options = no_options();
  options.prog_fd = program;
  if (const int error = bpf_tc_attach(&hook, &options); error != 0) return -error;
  // Less than PIPE_BUF: whole or not at all.
  std::array<char, 64> line{};
  const int bytes =
      std::snprintf(line.data(), line.size(), "%u %u %u\n", ifindex, options.handle, options.priority);
  return write(pipe_, line.data(), static_cast<std::size_t>(bytes)) == bytes ? 0 : errno;
}

}  // namespace vas::bridge
