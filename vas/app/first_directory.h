// What an empty store begins with: the directory file's entries, or a first key.
#pragma once

#include <string>

#include "base/result.h"
#include "vas/app/config.h"
#include "vas/directory/directory.h"

namespace vas::app {

// While we are still root, if we are: it holds passwords, and may be root's alone.
Result<std::string> read_directory_file(const std::string& path);

// `text`: of the directory file, where one is configured.
Result<directory::Change> first_directory(const Config& config, const Result<std::string>& text);

}  // namespace vas::app
