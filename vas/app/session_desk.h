// Keeps sessions: made for the API and for trunk calls, changed as their call goes, told to their callbacks,
// stored.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "vas/api/session_service.h"
#include "vas/directory/directory.h"
#include "vas/sessions/session_registry.h"
#include "vas/store/store.h"
#include "vas/webhooks/webhook_client.h"

namespace vas::app {

// The calls behind the sessions, as far as the API may touch them.
class CallControl {
 public:
  virtual ~CallControl() = default;
  // False: no call belongs to the session.
  virtual bool delete_call(const std::string& token, const std::string& reason) = 0;
  virtual void change_time_limit(const std::string& token, std::optional<std::int64_t> seconds) = 0;
};

// Threads: control only.
class SessionDesk final : public api::SessionService {
 public:
  SessionDesk(boost::asio::io_context& context, const directory::Directory& directory, store::Store& store,
              webhooks::WebhookClient& webhooks, std::string node);

  void set_call_control(CallControl& calls) { calls_ = &calls; }
  // What an earlier process left: sessions that nobody has dialled live on, those of its calls are gone.
  void restore(std::vector<sessions::Session> sessions);
  void drain() { is_draining_ = true; }

  // For calls.
  sessions::Session* find(const std::string& token) { return registry_.find(token); }
  sessions::Session* make_incoming(const directory::Domain& domain, const directory::Subscriber& subscriber,
                                   const std::string& origination, const std::string& caller_id);
  void set_token_state(const std::string& token, sessions::TokenState state);
  void set_status(const std::string& token, sessions::Status status);
  void add_call_id(const std::string& token, const std::string& call_id);
  void consume(const std::string& token);  // connected: its polls return
  void end(std::string token, const std::string& disposition, const std::string& reason);

  // For the API.
  std::optional<std::string> create(const api::NewSession& request,
                                    std::function<void(const sessions::Session*)> done) override;
  void change(const std::string& token, const api::SessionChange& change,
              std::function<void(const sessions::Session*)> done) override;
  void destroy(const std::string& token, const std::string& reason, std::function<void()> done) override;
  void mark_ringing(const std::string& token) override;
  sessions::SessionRegistry& registry() override { return registry_; }
  const directory::Directory& directory() const override { return directory_; }
  bool is_draining() const override { return is_draining_; }

 private:
  // Callbacks of one session that wait: they go out one after the other.
  struct Outbox {
    std::deque<webhooks::WebhookRequest> requests;
    int tries = 0;
    std::unique_ptr<boost::asio::steady_timer> timer;
  };

  sessions::Session blank(const directory::Domain& domain, const directory::Subscriber& subscriber,
                          sessions::Direction direction);
  void touch(sessions::Session& session);  // stores the change and calls back
  void call_back(sessions::Session& session, std::string_view action, std::string_view reason);
  void send_next(const std::string& token);
  void on_callback_answered(const std::string& token, int status);
  void sweep();

  // Borrowed.
  boost::asio::io_context& context_;
  const directory::Directory& directory_;
  store::Store& store_;
  webhooks::WebhookClient& webhooks_;
  CallControl* calls_ = nullptr;

  const std::string node_;
  sessions::SessionRegistry registry_;
  std::map<std::string, Outbox> outboxes_;
  boost::asio::steady_timer sweep_timer_;
  bool is_draining_ = false;
};

}  // namespace vas::app
