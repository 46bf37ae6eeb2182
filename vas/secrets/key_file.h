// The file with the key that secrets at rest are sealed with.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "vas/secrets/sealer.h"

namespace vas::secrets {

// 64 hex digits and a line's end. Nothing where there is no such file. One that others than its owner and
// group can read, or that holds something else, is refused.
Result<std::optional<Key>> read_key_file(const std::string& path);

// Makes one with a new key, on disk when it returns; one that is there is never written over.
Result<Key> make_key_file(const std::string& path);

}  // namespace vas::secrets
