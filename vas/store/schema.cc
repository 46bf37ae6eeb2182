#include "vas/store/schema.h"

#include <soci/soci.h>

#include <string>
#include <vector>

namespace vas::store {
namespace {

using Step = std::vector<const char*>;

// Each step brings the schema from its index to the next version. A step that was released is never edited.
const std::vector<Step>& steps() {
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
  };
  return all;
}

}  // namespace

std::size_t latest_schema_version() { return steps().size(); }

void migrate(soci::session& database, std::size_t to) {
  int found = 0;
  database << "PRAGMA user_version", soci::into(found);
  const auto version = static_cast<std::size_t>(found);
  if (version > steps().size()) {
    throw soci::soci_error("its schema has version " + std::to_string(version) +
                           ", this program knows up to " + std::to_string(steps().size()) +
                           ": it was written by a newer vas");
  }
  for (std::size_t step = version; step < to; ++step) {
    soci::transaction transaction(database);
    for (const char* statement : steps()[step]) database << statement;
    database << "PRAGMA user_version = " << step + 1;
    transaction.commit();
  }
}

}  // namespace vas::store
