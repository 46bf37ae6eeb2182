// What the API needs of the program behind it: sessions made, changed, ended and waited for.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/page.h"
#include "vas/api/directory_service.h"
#include "vas/directory/directory.h"
#include "vas/sessions/session.h"
#include "vas/sessions/session_registry.h"

namespace vas::api {

struct NewSession {
  const directory::Domain* domain = nullptr;
  const directory::Subscriber* subscriber = nullptr;
  sessions::Direction direction = sessions::Direction::kOutgoing;
  std::string remote;
  std::string caller_id;
  std::optional<std::int64_t> time_limit_s;
  std::optional<std::int64_t> call_timeout_s;  // nothing: the domain's
  std::optional<std::string> callback;         // nothing: the domain's; empty: none
  std::string routing_json;                    // as given
  sessions::CreationKey made_by;               // where the request may be repeated
};

struct SessionChange {
  bool changes_time_limit = false;
  std::optional<std::int64_t> time_limit_s;  // nothing: no limit
  std::optional<WallTime> call_start;        // kept only where none is set
  bool changes_call_timeout = false;
  std::optional<std::int64_t> call_timeout_s;  // nothing: the domain's
  std::optional<std::string> callback;         // empty: none
};

// Threads: control only.
class SessionService {
 public:
  virtual ~SessionService() = default;

  // `done` runs when the session would survive a crash; null: it could not be stored. Says instead what is
  // wrong with callback or routing plan (400), or that its domain has as many as it may (429). A request that
  // was made before gets the session that it made, or hears that it is over (409) or was another one (422).
  virtual std::optional<Refused> create(const NewSession& request,
                                        std::function<void(const sessions::Session*)> done) = 0;
  // `done` gets the session as it became, when that would survive a crash; null: it is over. Says instead
  // what is wrong with the callback (400), or that there is no room for it (429).
  virtual std::optional<Refused> change(const std::string& token, const SessionChange& change,
                                        std::function<void(const sessions::Session*)> done) = 0;
  // `reason`: one of the API's words, or empty. `done` runs when the end would survive a crash.
  virtual void destroy(const std::string& token, const std::string& reason, std::function<void()> done) = 0;
  virtual void list(const sessions::SessionFilter& filter, const PageRequest& page,
                    std::function<void(std::optional<Page>)> done) = 0;
  virtual void mark_ringing(const std::string& token) = 0;
  // Whether the domain may have one more poll that waits.
  virtual bool has_room_for_poll(std::int64_t domain_id) const = 0;
  virtual sessions::SessionRegistry& registry() = 0;
  virtual const directory::Directory& directory() const = 0;
};

}  // namespace vas::api
