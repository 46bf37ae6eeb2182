// The schema of the database, and the numbered steps that lead to it.
#pragma once

#include <cstddef>

namespace soci {
class session;
}

namespace vas::store {

// The version that this program writes. PRAGMA user_version keeps the one of a file.
std::size_t latest_schema_version();

// Brings a database of any earlier version to `to`, each step in a transaction. Throws soci::soci_error; a
// database that is newer than the program is refused that way too.
void migrate(soci::session& database, std::size_t to = latest_schema_version());

}  // namespace vas::store
