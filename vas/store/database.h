// Which database the store is in, and how to talk to it: SQLite in a file, or PostgreSQL for several nodes.
#pragma once

#include <memory>
#include <string>

namespace soci {
class session;
}

namespace vas::store {

enum class Dialect { kSqlite, kPostgresql };

// A path is a SQLite file; "postgresql://user@host/name" a server's database.
Dialect dialect_of(const std::string& location);

// A connection as the store wants it: commits that survive a power cut, no wait without an end.
// Throws soci::soci_error.
std::unique_ptr<soci::session> connect(const std::string& location);
std::unique_ptr<soci::session> connect_to_read(const std::string& location);

// The URL with time limits for connecting and for each statement: what PostgreSQL's library takes.
std::string with_deadlines(const std::string& url);

// As it may stand in a log: without a password.
std::string shown(const std::string& location);

}  // namespace vas::store
