#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdio>

#include "vas/app/config.h"
#include "vas/app/server.h"

int main(int argc, char** argv) {
  const auto command = vas::app::read_command_line(argc, argv);
  if (!command) {
    std::fprintf(stderr, "vas: %s\n", command.error().c_str());
    return 2;
  }
  if (command->exit_code >= 0) return command->exit_code;
  if (command->only_checks) {
    std::puts("The configuration is good.");
    return 0;
  }
  spdlog::set_level(spdlog::level::from_str(command->config.log_level));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
  std::signal(SIGPIPE, SIG_IGN);
  umask(0077);  // calls, numbers, tokens: nobody else's
  return vas::app::run_server(command->config);
}
