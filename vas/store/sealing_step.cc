#include "vas/store/sealing_step.h"

#include <soci/soci.h>

#include <boost/json.hpp>
#include <cstdint>
#include <vector>

#include "vas/secrets/key_file.h"
#include "vas/store/event_row.h"
#include "vas/store/sealed_rows.h"

namespace vas::store {
namespace {

constexpr const char* kKeyIdSetting = "key-id";
constexpr int kRowsAtOnce = 1000;  // they are in memory while they are sealed

bool has_table(soci::session& database, Dialect dialect, const std::string& name) {
  int count = 0;
  database
      << (dialect == Dialect::kSqlite
              ? "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = :name"
              : "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = :name"),
      soci::use(name), soci::into(count);
  return count != 0;
}

// A body as it stood in the clear becomes the sealed one of the same thing. One that cannot be read stays for
// nobody: it was nothing to anybody before, either.
void seal_sessions(soci::session& database, const SealedRows& rows) {
  struct Row {
    std::int64_t id = 0;
    std::string token, body;
  };
  for (std::int64_t after = -1;;) {
    std::vector<Row> page;
    Row row;
    soci::statement found =
        (database.prepare << "SELECT id, token, body FROM sessions WHERE id > :after ORDER BY id LIMIT "
                          << kRowsAtOnce,
         soci::use(after), soci::into(row.id), soci::into(row.token), soci::into(row.body));
    for (bool more = found.execute(true); more; more = found.fetch()) page.push_back(row);
    if (page.empty()) return;
    after = page.back().id;
    for (const Row& each : page) {
      if (secrets::Sealer::is_sealed(each.body)) continue;
      const auto session = sessions::parse_store_json(each.body);
      if (!session) {
        database << "DELETE FROM sessions WHERE id = :id", soci::use(each.id);
        continue;
      }
      const std::string token = rows.look_up(each.token), body = rows.body_of(*session);
      database << "UPDATE sessions SET token = :token, body = :body WHERE id = :id", soci::use(token),
          soci::use(body), soci::use(each.id);
    }
  }
}

void seal_events(soci::session& database, const SealedRows& rows) {
  std::vector<webhooks::Event> all;
  soci::rowset<soci::row> found = (database.prepare << "SELECT " << kEventColumns << " FROM events");
  for (const soci::row& row : found) {
    if (!secrets::Sealer::is_sealed(row.get<std::string>(5))) all.push_back(plain_event_of(row));
  }
  for (const webhooks::Event& event : all) {
    const std::string id = rows.look_up(event.id), token = rows.look_up(event.token),
                      body = rows.body_of(event);
    database << "UPDATE events SET id = :id, token = :token, url = '', body = :body WHERE id = :old",
        soci::use(id), soci::use(token), soci::use(body), soci::use(event.id);
  }
}

void seal_directory(soci::session& database, const SealedRows& rows) {
  struct Row {
    directory::Kind kind;
    std::int64_t id;
    std::string body;
  };
  std::vector<Row> all;
  for (const directory::Kind kind : directory::kKinds) {
    const std::string name(to_string(kind));
    Row row{.kind = kind, .id = 0, .body = {}};
    soci::statement found = (database.prepare << "SELECT id, body FROM directory WHERE kind = :kind",
                             soci::use(name), soci::into(row.id), soci::into(row.body));
    for (bool more = found.execute(true); more; more = found.fetch()) all.push_back(row);
  }
  for (const Row& row : all) {
    if (secrets::Sealer::is_sealed(row.body)) continue;
    const auto entry = directory::parse_entry(row.kind, row.body);
    if (!entry)
      throw soci::soci_error("it holds a " + std::string(to_string(row.kind)) +
                             " that cannot be read: " + entry.error());
    const std::string name(to_string(row.kind)), body = rows.body_of(*entry);
    database << "UPDATE directory SET body = :body WHERE kind = :kind AND id = :id", soci::use(body),
        soci::use(name), soci::use(row.id);
  }
}

void seal_settings(soci::session& database, const SealedRows& rows) {
  std::vector<std::pair<std::string, std::string>> all;
  soci::rowset<soci::row> found = (database.prepare << "SELECT name, value FROM settings");
  for (const soci::row& row : found) all.emplace_back(row.get<std::string>(0), row.get<std::string>(1));
  for (const auto& [name, value] : all) {
    if (secrets::Sealer::is_sealed(value) || name == kKeyIdSetting) continue;
    const std::string sealed = rows.setting(name, value);
    database << "UPDATE settings SET value = :value WHERE name = :name", soci::use(sealed), soci::use(name);
  }
}

}  // namespace

void seal_rows(soci::session& database, const secrets::Sealer& sealer) {
  const SealedRows rows(sealer);
  seal_sessions(database, rows);
  seal_events(database, rows);
  seal_directory(database, rows);
  seal_settings(database, rows);
  const std::string name = kKeyIdSetting;
  database << "INSERT INTO settings (name, value) VALUES (:name, :id) ON CONFLICT (name) DO NOTHING",
      soci::use(name), soci::use(sealer.key_id());
}

std::optional<std::string> sealing_key_id(soci::session& database, Dialect dialect) {
  if (!has_table(database, dialect, "settings")) return {};
  const std::string name = kKeyIdSetting;
  std::string id;
  database << "SELECT value FROM settings WHERE name = :name", soci::use(name), soci::into(id);
  if (!database.got_data()) return {};
  return id;
}

Result<secrets::Key> key_for(soci::session& database, Dialect dialect, const std::string& key_file) {
  const auto wanted = sealing_key_id(database, dialect);
  auto found = secrets::read_key_file(key_file);
  if (!found) return Error{found.error()};
  if (!*found && !wanted) return secrets::make_key_file(key_file);
  const std::string copy = dialect == Dialect::kPostgresql
                               ? "copy the key file of a node that works with this database"
                               : "bring back the file that was there, out of a backup";
  if (!*found)
    return Error{"it is sealed with the key " + *wanted + ", and there is no key file " + key_file + ": " +
                 copy + " (`key-file`). Nothing was changed"};
  const std::string id = secrets::Sealer(**found).key_id();
  if (wanted && *wanted != id)
    return Error{"it is sealed with the key " + *wanted + ", and the key file " + key_file + " holds " + id +
                 ": " + copy + " (`key-file`). Nothing was changed"};
  return **found;
}

}  // namespace vas::store
