// Delivers status callbacks: stored before they go, at least once, in order within a session. (docs/api.md)
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/page.h"
#include "base/thread_check.h"
#include "vas/directory/directory.h"
#include "vas/store/store.h"
#include "vas/webhooks/outbox.h"
#include "vas/webhooks/webhook_client.h"

namespace vas::control {

// Keeps the outbox of status callbacks beside the store that holds them. It decides when the next is sent
// (Outbox says which), commits what became of a try, and buries what was given up. What a callback tells it
// need not know: who changes a session makes it.
//
// Threads: control only.
class CallbackDispatcher {
 public:
  struct Counters {
    std::uint64_t delivered = 0;
    std::uint64_t failed_tries = 0;
    std::uint64_t buried = 0;
  };

  CallbackDispatcher(boost::asio::io_context& context, const directory::Directory& directory,
                     store::Store& store, webhooks::WebhookClient& client);

  // What an earlier process left, by session and number.
  void restore(std::vector<webhooks::Event> events);
  // An event that is stored. It goes out when those before it of its session are done.
  void add(webhooks::Event event);

  void list_dead(std::int64_t domain_id, const PageRequest& page,
                 std::function<void(std::optional<Page>)> done);
  void replay_dead(std::int64_t domain_id, const std::string& id, std::function<void(bool found)> done);
  void drop_dead(std::int64_t domain_id, const std::string& id, std::function<void(bool found)> done);

  const Counters& counters() const { return counters_; }
  std::size_t waiting() const { return outbox_.size(); }
  std::size_t broken_endpoints() const { return outbox_.broken_endpoints(); }

 private:
  void enqueue(webhooks::Event event, Duration wait);
  void send_due();
  void send(const webhooks::Event& event);
  void on_replied(const std::string& id, const webhooks::Reply& reply);
  void arm();
  void forget_old();

  // Borrowed.
  const directory::Directory& directory_;
  store::Store& store_;
  webhooks::WebhookClient& client_;

  webhooks::Outbox outbox_;
  Counters counters_;
  boost::asio::steady_timer timer_;
  Time armed_for_ = kNever;
  boost::asio::steady_timer forget_timer_;
  ThreadCheck thread_check_{"CallbackDispatcher"};
};

}  // namespace vas::control
