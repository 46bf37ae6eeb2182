// The step of the schema that seals what earlier versions wrote in the clear; and whose key a database is
// sealed with.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "vas/secrets/sealer.h"
#include "vas/store/database.h"

namespace soci {
class session;
}

namespace vas::store {

// Seals every row that is not, and stores whose key it was. Within the caller's transaction;
// throws soci::soci_error.
void seal_rows(soci::session& database, const secrets::Sealer& sealer);

// The id of the key that the database was sealed with; nothing where it is new, or of an earlier version.
std::optional<std::string> sealing_key_id(soci::session& database, Dialect dialect);

// The key of that file, made where the database has none yet. A database whose key is lost, or another's, is
// left as it is, and the error says what to do.
Result<secrets::Key> key_for(soci::session& database, Dialect dialect, const std::string& key_file);

}  // namespace vas::store
