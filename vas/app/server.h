// The whole program, wired: the one place where every part meets every other.
#pragma once

#include "vas/app/config.h"

namespace vas::app {

// Runs until SIGTERM or SIGINT; then calls are ended, records written, and it returns 0. Returns 1, after
// saying why, when it could not start.
int run_server(const Config& config);

}  // namespace vas::app
