// How tokens and secrets stand in the tables: bodies sealed, and where a row is looked for, a keyed hash.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "vas/directory/directory.h"
#include "vas/secrets/sealer.h"
#include "vas/sessions/session.h"
#include "vas/webhooks/event.h"

namespace vas::store {

// Columns that say who a row is (ids, domains, kinds) and when are plain; what a token or a secret can be
// part of is not.
//
// Threads: any; immutable.   Lifetime: borrows the sealer.
class SealedRows {
 public:
  explicit SealedRows(const secrets::Sealer& sealer) : sealer_(sealer) {}

  // In place of a session's token, and of a callback's id, which began with one in earlier versions.
  std::string look_up(std::string_view token) const { return sealer_.hash(token); }

  std::string body_of(const sessions::Session& session) const;
  std::string body_of(const webhooks::Event& event) const;  // its id, token, URL and body
  std::string body_of(const directory::Entry& entry) const;
  std::string setting(std::string_view name, std::string_view value) const;

  // Nothing, or an error, for what cannot be opened or read.
  std::optional<sessions::Session> session(std::string_view body) const;
  bool fill(webhooks::Event& event, std::string_view body) const;
  Result<directory::Entry> entry(directory::Kind kind, std::string_view body) const;
  std::optional<std::string> read_setting(std::string_view name, std::string_view sealed) const;

 private:
  const secrets::Sealer& sealer_;
};

}  // namespace vas::store
