#include "bridge/clsact_filter.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

extern char** environ;

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

}  // namespace

Result<std::unique_ptr<ClsactGuardian>> ClsactGuardian::start() {
  std::array<int, 2> pipe{};
  if (pipe2(pipe.data(), O_CLOEXEC) != 0) return Error{std::string("no pipe: ") + std::strerror(errno)};
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, pipe[0], STDIN_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);  // a signal to our terminal is not for it
  std::array<char*, 3> arguments{const_cast<char*>("vas"), const_cast<char*>(kArgument), nullptr};
  pid_t process = -1;
  const int error = posix_spawn(&process, "/proc/self/exe", &files, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  close(pipe[0]);
  if (error == 0) return std::unique_ptr<ClsactGuardian>(new ClsactGuardian(process, pipe[1]));
  close(pipe[1]);
  return Error{std::string("no guardian of the filters: ") + std::strerror(error)};
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

int ClsactGuardian::run() {
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
  return 0;
}

}  // namespace vas::bridge
