#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <string_view>

#include "bridge/clsact_filter.h"
#include "vas/app/config.h"
#include "vas/app/server.h"

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == vas::bridge::ClsactGuardian::kArgument)
    return vas::bridge::ClsactGuardian::run();
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
  umask(0027);  // the store holds live tokens
  return vas::app::run_server(command->config);
}
