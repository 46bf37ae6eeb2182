// Keeps sessions: made for the API and for trunk calls, changed as their call goes, stored,
// told to their callbacks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/thread_check.h"
#include "vas/api/session_service.h"
#include "vas/control/callback_dispatcher.h"
#include "vas/control/directory_controller.h"
#include "vas/sessions/session_registry.h"
#include "vas/store/store.h"

namespace vas::control {

// How long a caller waits for the session to be picked up.
Duration call_timeout_of(const sessions::Session& session, const directory::Domain& domain);

// The calls behind the sessions, as far as the API may touch them.
class CallControl {
 public:
  virtual ~CallControl() = default;
  // False: no call belongs to the session.
  virtual bool delete_call(const std::string& token, const std::string& reason) = 0;
  virtual void change_time_limit(const std::string& token, std::optional<std::int64_t> seconds) = 0;
  virtual void change_call_timeout(const std::string& token, Duration timeout) = 0;
};

// What is asked of the node that holds a session.
struct PeerRequest {
  enum class What { kDestroy, kChange, kRing } what = What::kRing;
  std::string token;
  std::string reason;         // of kDestroy
  api::SessionChange change;  // of kChange
};

// The other nodes on the same database.
class Peers {
 public:
  virtual ~Peers() = default;
  // `done` runs when the node has done it, and its session here is as it became; or after a while without.
  virtual void ask(const std::string& node, const PeerRequest& request, std::function<void()> done) = 0;
};

// Keeps the sessions of this node and what other nodes say of theirs. It decides whether there is room for
// one more, what a change does, and when a session that nobody dials is over; each change is committed
// together with the callback that tells of it. How a call goes it need not know: CallControl is told what
// concerns one, and calls say what became of theirs.
//
// Threads: control only.
class SessionController final : public api::SessionService {
 public:
  SessionController(boost::asio::io_context& context, const DirectoryController& directory,
                    store::Store& store, CallbackDispatcher& callbacks, std::string node,
                    sessions::TokenIndex& tokens);

  void set_call_control(CallControl& calls) { calls_ = &calls; }
  void set_peers(Peers& peers) { peers_ = &peers; }

  // Sessions that another node holds: kept as that node says, changed by asking it.
  void adopt_replica(sessions::Session session);
  void drop_replica(std::int64_t id);
  void replace_replicas(std::vector<sessions::Session> sessions);
  const std::string& node() const { return node_; }
  // What an earlier process left: sessions that nobody has dialled live on; those of its calls, and those
  // that the journal of calls names, are over, and their callbacks say so.
  void restore(std::vector<sessions::Session> sessions, const std::set<std::string>& tokens_of_calls);

  // For calls.
  sessions::Session* find(const std::string& token) { return registry_.find(token); }
  sessions::Session* make_incoming(const directory::Domain& domain, const directory::Subscriber& subscriber,
                                   const std::string& origination, const std::string& caller_id);
  // A call is admitted under the token. `stored` runs when a crash could not make it dialable again.
  void admit_call(const std::string& token, const std::string& call_id, sessions::TokenState state,
                  std::function<void()> stored);
  void set_token_state(const std::string& token, sessions::TokenState state);
  void set_status(const std::string& token, sessions::Status status);
  void set_last_error(const std::string& token, std::string error);
  void add_call_id(const std::string& token, const std::string& call_id);
  void consume(const std::string& token);  // connected: its polls return
  void end(std::string token, const std::string& disposition, const std::string& reason,
           std::function<void()> stored = {});

  // For the API.
  std::optional<api::Refused> create(const api::NewSession& request,
                                     std::function<void(const sessions::Session*)> done) override;
  bool has_room_for_poll(std::int64_t domain_id) const override;
  std::optional<api::Refused> change(const std::string& token, const api::SessionChange& change,
                                     std::function<void(const sessions::Session*)> done) override;
  void destroy(const std::string& token, const std::string& reason, std::function<void()> done) override;
  void list(const sessions::SessionFilter& filter, const PageRequest& page,
            std::function<void(std::optional<Page>)> done) override;
  void mark_ringing(const std::string& token) override;
  sessions::SessionRegistry& registry() override { return registry_; }
  const directory::Directory& directory() const override { return directory_.directory(); }

  std::uint64_t created() const { return created_; }
  std::uint64_t refused() const { return refused_; }  // for want of a share

 private:
  // What the sessions of all the tenant's domains take together.
  sessions::SessionRegistry::Use use_of_tenant(std::int64_t tenant_id) const;
  // Whose share so many sessions more, of `bytes`, would be too much for, in words;
  // nothing where there is room.
  std::optional<std::string> full_share(const directory::Domain& domain, std::size_t sessions,
                                        std::size_t bytes) const;
  // The same request once more: `done` gets what the first made, once that would survive a crash.
  std::optional<api::Refused> repeat(const sessions::CreationKeys::Made& made, const std::string& request,
                                     std::function<void(const sessions::Session*)> done);
  // Keeps the plan in its normal form; refused where it cannot be read, or names a server that may not be
  // called.
  std::optional<api::Refused> parse_routing(const std::string& json, sessions::Session& session) const;
  // Refused where nothing may be sent to the URL, or the domain has no room for a longer one.
  std::optional<api::Refused> check_callback(const sessions::Session& session, const std::string& url) const;
  // A session with all that the domain and the subscriber give it, and a new token; not yet kept.
  sessions::Session blank(const directory::Domain& domain, const directory::Subscriber& subscriber,
                          sessions::Direction direction);
  void touch(sessions::Session& session);  // stores the change and calls back
  // Changes them, and tells the call of it, which may end by that: the session may be gone afterwards.
  void change_timers(sessions::Session& session, const api::SessionChange& change);
  // Commits the session, or its removal, together with the callback that tells of it.
  void commit(sessions::Session& session, std::string_view action, std::string_view reason,
              std::function<void(bool)> done = {});
  // Ends, every so often, what nobody dialled within its domain's session-ttl.
  void sweep();
  bool is_elsewhere(const sessions::Session& session) const { return session.node != node_; }

  // Borrowed.
  const DirectoryController& directory_;
  store::Store& store_;
  CallbackDispatcher& callbacks_;
  CallControl* calls_ = nullptr;
  Peers* peers_ = nullptr;

  const std::string node_;
  sessions::SessionRegistry registry_;
  std::map<std::int64_t, std::string> replicas_;  // tokens, by the session's id
  std::uint64_t created_ = 0;
  std::uint64_t refused_ = 0;
  boost::asio::steady_timer sweep_timer_;
  ThreadCheck thread_check_{"SessionController"};
};

}  // namespace vas::control
