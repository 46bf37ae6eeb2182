// The statements of the store's writer, prepared once, and the variables that they are bound to.
#pragma once

#include <soci/soci.h>

#include <cstdint>
#include <string>

#include "base/thread_check.h"
#include "vas/store/store.h"

namespace vas::store {

// Threads: the writer's.
class Store::Statements {
 public:
  Statements(soci::session& database, const SealedRows& rows, const std::string& node);

  void write(const Transaction::Row& row);

 private:
  void write_one(const sessions::Session& session);
  void write_one(const Transaction::RemoveSession& removal);
  void write_one(const webhooks::Event& event);
  void write_one(const Transaction::BuryEvent& burial);
  void write_one(const Transaction::RemoveEvent& removal);
  void write_one(const Transaction::ForgetDeadEvents& all);
  void write_one(const directory::Entry& entry);
  void write_one(const directory::Removal& removal);
  void write_one(const Transaction::SetCounter& counter);
  void write_event(const webhooks::Event& event, int is_dead);
  // Heard by the other nodes when the transaction commits (change_feed.h).
  void tell(const char* what, const std::string& which);

  soci::session& database_;
  const SealedRows& rows_;
  const std::string node_;
  const bool tells_others_;
  std::int64_t id_ = 0, parent_ = 0, created_at_ = 0, next_try_at_ = 0;
  int tries_ = 0, is_dead_ = 0;
  std::string text_, token_, body_, error_;
  soci::statement save_session_, remove_session_, save_event_, remove_event_, forget_dead_events_,
      save_entry_, remove_entry_, set_counter_;
  ThreadCheck thread_check_{"Statements"};
};

}  // namespace vas::store
