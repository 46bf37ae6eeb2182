#include "vas/store/statements.h"

#include <variant>

namespace vas::store {

Store::Statements::Statements(soci::session& database, const SealedRows& rows, const std::string& node)
    : database_(database),
      rows_(rows),
      node_(node),
      tells_others_(database.get_backend_name() == "postgresql"),
      save_session_((database.prepare
                         << "INSERT INTO sessions (id, domain_id, token, body) VALUES (:id, :d, :t, :b) "
                            "ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                     soci::use(id_), soci::use(parent_), soci::use(text_), soci::use(body_))),
      remove_session_((database.prepare << "DELETE FROM sessions WHERE id = :id", soci::use(id_))),
      save_event_(
          (database.prepare
               << "INSERT INTO events (id, token, number, domain_id, url, body, created_at, "
                  "tries, next_try_at, last_error, is_dead, node) VALUES "
                  "(:id, :t, :n, :d, '', :b, :c, :r, :x, :e, :dead, :node) ON CONFLICT (id) DO UPDATE SET "
                  "tries = excluded.tries, next_try_at = excluded.next_try_at, "
                  "last_error = excluded.last_error, is_dead = excluded.is_dead",
           soci::use(text_), soci::use(token_), soci::use(id_), soci::use(parent_), soci::use(body_),
           soci::use(created_at_), soci::use(tries_), soci::use(next_try_at_), soci::use(error_),
           soci::use(is_dead_), soci::use(node_))),
      remove_event_((database.prepare << "DELETE FROM events WHERE id = :id", soci::use(text_))),
      forget_dead_events_(
          (database.prepare << "DELETE FROM events WHERE is_dead = 1 AND created_at < :before",
           soci::use(created_at_))),
      save_entry_((database.prepare
                       << "INSERT INTO directory (kind, id, parent, body) VALUES (:k, :i, :p, :b) ON "
                          "CONFLICT (kind, id) DO UPDATE SET parent = excluded.parent, body = excluded.body",
                   soci::use(text_), soci::use(id_), soci::use(parent_), soci::use(body_))),
      remove_entry_((database.prepare << "DELETE FROM directory WHERE kind = :k AND id = :i",
                     soci::use(text_), soci::use(id_))),
      set_counter_(
          (database.prepare << "INSERT INTO counters (name, value) VALUES (:n, :v) ON CONFLICT (name) DO "
                               "UPDATE SET value = excluded.value",
           soci::use(text_), soci::use(id_))) {}

void Store::Statements::write(const Transaction::Row& row) {
  thread_check_.check();
  std::visit([this](const auto& each) { write_one(each); }, row);
}

void Store::Statements::write_one(const sessions::Session& session) {
  id_ = session.id;
  parent_ = session.domain_id;
  text_ = rows_.look_up(session.token);
  body_ = rows_.body_of(session);
  save_session_.execute(true);
  tell("s", std::to_string(id_));
}

void Store::Statements::write_one(const Transaction::RemoveSession& removal) {
  id_ = removal.id;
  remove_session_.execute(true);
  tell("r", std::to_string(id_));
}

void Store::Statements::write_one(const webhooks::Event& event) { write_event(event, 0); }

void Store::Statements::write_one(const Transaction::BuryEvent& burial) { write_event(burial.event, 1); }

void Store::Statements::write_one(const Transaction::RemoveEvent& removal) {
  text_ = rows_.look_up(removal.id);
  remove_event_.execute(true);
}

void Store::Statements::write_one(const Transaction::ForgetDeadEvents& all) {
  created_at_ = all.created_before.time_since_epoch().count();
  forget_dead_events_.execute(true);
}

void Store::Statements::write_one(const directory::Entry& entry) {
  text_ = to_string(kind_of(entry));
  id_ = id_of(entry);
  parent_ = parent_of(entry);
  body_ = rows_.body_of(entry);
  save_entry_.execute(true);
  tell("d", text_ + ":" + std::to_string(id_));
}

void Store::Statements::write_one(const directory::Removal& removal) {
  text_ = to_string(removal.kind);
  id_ = removal.id;
  remove_entry_.execute(true);
  tell("d", text_ + ":" + std::to_string(id_));
}

void Store::Statements::write_one(const Transaction::SetCounter& counter) {
  text_ = counter.name;
  id_ = counter.value;
  set_counter_.execute(true);
}

void Store::Statements::write_event(const webhooks::Event& event, int is_dead) {
  text_ = rows_.look_up(event.id);
  token_ = rows_.look_up(event.token);
  id_ = event.number;
  parent_ = event.domain_id;
  body_ = rows_.body_of(event);
  created_at_ = event.created_at.time_since_epoch().count();
  tries_ = event.tries;
  next_try_at_ = event.next_try_at.time_since_epoch().count();
  error_ = event.last_error;
  is_dead_ = is_dead;
  save_event_.execute(true);
}

void Store::Statements::tell(const char* what, const std::string& which) {
  if (!tells_others_) return;
  const std::string payload = std::string(what) + ":" + node_ + ":" + which;
  database_ << "SELECT pg_notify('vas_changes', :payload)", soci::use(payload);
}

}  // namespace vas::store
