#include "vas/store/schema.h"

#include <soci/soci.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "vas/store/sealing_step.h"

namespace vas::store {
namespace {

// Statements, and whether they are followed by the sealing of what the tables hold (sealing_step.h).
struct Step {
  Step(std::initializer_list<const char*> all) : statements(all) {}
  Step(std::initializer_list<const char*> all, bool is_sealing) : statements(all), seals(is_sealing) {}
  std::vector<const char*> statements;
  bool seals = false;
};

// Each step brings the schema from its index to the next version. A step that was released is never edited.
const std::vector<Step>& sqlite_steps() {
  static const std::vector<Step> all = {
      {"CREATE TABLE sessions (token TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL) WITHOUT ROWID"},
      // Sessions by their growing id: new rows go to the end of the table, which keeps commits small.
      {"CREATE TABLE sessions_by_id (id INTEGER PRIMARY KEY, domain_id INTEGER NOT NULL, token TEXT NOT "
       "NULL, "
       "body TEXT NOT NULL)",
       "INSERT OR IGNORE INTO sessions_by_id SELECT json_extract(body, '$.id'), json_extract(body, "
       "'$.domainId'), "
       "token, body FROM sessions",
       "DROP TABLE sessions", "ALTER TABLE sessions_by_id RENAME TO sessions",
       "CREATE INDEX sessions_of_domain ON sessions (domain_id, id)",
       "CREATE TABLE directory (kind TEXT NOT NULL, id INTEGER NOT NULL, parent INTEGER NOT NULL, "
       "body TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID",
       "CREATE INDEX directory_by_parent ON directory (kind, parent, id)",
       "CREATE TABLE counters (name TEXT PRIMARY KEY NOT NULL, value BIGINT NOT NULL) WITHOUT ROWID"},
      {"CREATE TABLE events (id TEXT PRIMARY KEY NOT NULL, token TEXT NOT NULL, number BIGINT NOT NULL, "
       "domain_id BIGINT NOT NULL, url TEXT NOT NULL, body TEXT NOT NULL, created_at BIGINT NOT NULL, "
       "tries INTEGER NOT NULL, next_try_at BIGINT NOT NULL, last_error TEXT NOT NULL, is_dead INTEGER NOT "
       "NULL)",
       "CREATE INDEX dead_events_of_domain ON events (domain_id, created_at, id) WHERE is_dead = 1"},
      // Which node delivers it: several may share a database.
      {"ALTER TABLE events ADD COLUMN node TEXT NOT NULL DEFAULT ''"},
      // Tokens and secrets are sealed.
      Step({"CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL)"},
           true),
  };
  return all;
}

const std::vector<Step>& postgresql_steps() {
  static const std::vector<Step> all = {
      {"CREATE TABLE sessions (id BIGINT PRIMARY KEY, domain_id BIGINT NOT NULL, token TEXT NOT NULL, "
       "body TEXT NOT NULL)",
       "CREATE INDEX sessions_of_domain ON sessions (domain_id, id)",
       "CREATE INDEX sessions_by_token ON sessions (token)",
       "CREATE TABLE directory (kind TEXT NOT NULL, id BIGINT NOT NULL, parent BIGINT NOT NULL, "
       "body TEXT NOT NULL, PRIMARY KEY (kind, id))",
       "CREATE INDEX directory_by_parent ON directory (kind, parent, id)",
       "CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
       "CREATE TABLE events (id TEXT PRIMARY KEY, token TEXT NOT NULL, number BIGINT NOT NULL, "
       "domain_id BIGINT NOT NULL, url TEXT NOT NULL, body TEXT NOT NULL, created_at BIGINT NOT NULL, "
       "tries INTEGER NOT NULL, next_try_at BIGINT NOT NULL, last_error TEXT NOT NULL, is_dead INTEGER NOT "
       "NULL, node TEXT NOT NULL)",
       "CREATE INDEX dead_events_of_domain ON events (domain_id, created_at, id) WHERE is_dead = 1",
       "CREATE TABLE nodes (name TEXT PRIMARY KEY, number INTEGER UNIQUE NOT NULL, sip TEXT NOT NULL, "
       "seen_at TIMESTAMPTZ NOT NULL)",
       "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)"},
      Step({}, true),
  };
  return all;
}

const std::vector<Step>& steps_of(Dialect dialect) {
  return dialect == Dialect::kSqlite ? sqlite_steps() : postgresql_steps();
}

std::size_t version_of(soci::session& database, Dialect dialect) {
  int version = 0;
  if (dialect == Dialect::kSqlite) {
    database << "PRAGMA user_version", soci::into(version);
  } else {
    database << "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)";
    database << "SELECT coalesce(max(version), 0) FROM schema_version", soci::into(version);
  }
  return static_cast<std::size_t>(version);
}

void set_version(soci::session& database, Dialect dialect, std::size_t version) {
  if (dialect == Dialect::kSqlite) {
    database << "PRAGMA user_version = " << version;
  } else {
    database << "INSERT INTO schema_version (version) VALUES (" << version << ")";
  }
}

}  // namespace

std::size_t latest_schema_version(Dialect dialect) { return steps_of(dialect).size(); }

void migrate(soci::session& database, Dialect dialect, const secrets::Sealer& sealer,
             std::optional<std::size_t> to) {
  const std::vector<Step>& steps = steps_of(dialect);
  // What is written over must not stay in the file's free places.
  if (dialect == Dialect::kSqlite) database << "PRAGMA secure_delete = 1";
  soci::transaction transaction(database);
  // Nodes that start together wait here for the first of them.
  if (dialect == Dialect::kPostgresql) database << "SELECT pg_advisory_xact_lock(7685)";
  const std::size_t version = version_of(database, dialect);
  if (version > steps.size()) {
    throw soci::soci_error("its schema has version " + std::to_string(version) +
                           ", this program knows up to " + std::to_string(steps.size()) +
                           ": it was written by a newer vas");
  }
  for (std::size_t step = version; step < to.value_or(steps.size()); ++step) {
    for (const char* statement : steps[step].statements) database << statement;
    if (steps[step].seals) seal_rows(database, sealer);
    set_version(database, dialect, step + 1);
  }
  transaction.commit();
  if (dialect == Dialect::kSqlite && version < steps.size()) database << "PRAGMA wal_checkpoint(TRUNCATE)";
}

}  // namespace vas::store
