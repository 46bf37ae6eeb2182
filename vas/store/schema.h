// The schema of the database, and the numbered steps that lead to it.
#pragma once

#include <cstddef>
#include <optional>

#include "vas/secrets/sealer.h"
#include "vas/store/database.h"

namespace soci {
class session;
}

namespace vas::store {

// The version that this program writes. PRAGMA user_version keeps the one of a file, a table that of a
// server's database. For tests.
std::size_t latest_schema_version(Dialect dialect = Dialect::kSqlite);

// Brings a database of any earlier version to `to` (none: the latest), all steps in one transaction. Throws
// soci::soci_error; a database that is newer than the program is refused that way too. `sealer`: what the
// step uses that seals earlier versions' rows.
void migrate(soci::session& database, Dialect dialect, const secrets::Sealer& sealer,
             std::optional<std::size_t> to = {});

}  // namespace vas::store
