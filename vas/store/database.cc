#include "vas/store/database.h"

#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

namespace vas::store {
namespace {

// TCP_USER_TIMEOUT: a server that vanished without a word is given up as fast as one that is slow.
constexpr const char* kDeadlines =
    "connect_timeout=2&tcp_user_timeout=5000&application_name=vas&"
    "options=-c%20statement_timeout%3D10000%20-c%20client_min_messages%3Dwarning";

// How long another process may hold the file, in seconds.
constexpr const char* kLongestLock = "2";

std::unique_ptr<soci::session> open(const std::string& location) {
  if (dialect_of(location) == Dialect::kPostgresql)
    return std::make_unique<soci::session>(soci::postgresql, with_deadlines(location));
  return std::make_unique<soci::session>(soci::sqlite3, "db=" + location + " timeout=" + kLongestLock);
}

}  // namespace

Dialect dialect_of(const std::string& location) {
  const bool is_url = location.starts_with("postgresql://") || location.starts_with("postgres://");
  return is_url ? Dialect::kPostgresql : Dialect::kSqlite;
}

std::string with_deadlines(const std::string& url) {
  return url + (url.find('?') == std::string::npos ? "?" : "&") + kDeadlines;
}

std::unique_ptr<soci::session> connect(const std::string& location) {
  auto database = open(location);
  if (dialect_of(location) == Dialect::kSqlite) {
    std::string mode;
    *database << "PRAGMA journal_mode = WAL", soci::into(mode);
    *database << "PRAGMA synchronous = FULL";
  }
  return database;
}

std::unique_ptr<soci::session> connect_to_read(const std::string& location) {
  auto database = open(location);
  *database << (dialect_of(location) == Dialect::kSqlite
                    ? "PRAGMA query_only = 1"
                    : "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY");
  return database;
}

std::string shown(const std::string& location) {
  const auto at = location.find('@');
  if (dialect_of(location) == Dialect::kSqlite || at == std::string::npos) return location;
  return "postgresql://" + location.substr(at + 1, location.find('?') - at - 1);
}

}  // namespace vas::store
