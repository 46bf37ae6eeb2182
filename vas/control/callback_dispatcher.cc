#include "vas/control/callback_dispatcher.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

namespace vas::control {
namespace {

using store::Transaction;
using store::Urgency;

// A month to find out, and to send them again.
constexpr auto kDeadLettersAreKept = std::chrono::days(30);
constexpr auto kForgetEvery = std::chrono::hours(1);

double chance() { return static_cast<double>(random_u32()) / 4294967296.0; }

}  // namespace

CallbackDispatcher::CallbackDispatcher(boost::asio::io_context& context,
                                       const directory::Directory& directory, store::Store& store,
                                       webhooks::WebhookClient& client)
    : directory_(directory), store_(store), client_(client), timer_(context), forget_timer_(context) {
  forget_old();
}

void CallbackDispatcher::restore(std::vector<webhooks::Event> events) {
  thread_check_.check();
  const WallTime now = wall_now();
  for (webhooks::Event& event : events) {
    // A clock that was set back must not make a callback wait for long.
    const auto wait = std::clamp<Duration>(event.next_try_at - now, Duration::zero(), std::chrono::hours(1));
    enqueue(std::move(event), wait);
  }
}

void CallbackDispatcher::add(webhooks::Event event) {
  thread_check_.check();
  enqueue(std::move(event), Duration::zero());
}

void CallbackDispatcher::enqueue(webhooks::Event event, Duration wait) {
  if (!outbox_.add(event, monotonic_now(), wait)) {
    ++counters_.buried;
    log::warn(event.token, "a callback goes to the dead letters at once: {} wait already", outbox_.size());
    event.last_error = "too many callbacks were waiting";
    store_.commit(Transaction().bury(event), Urgency::kMustLast);
    return;
  }
  send_due();
}

void CallbackDispatcher::send_due() {
  for (const webhooks::Event* event : outbox_.pop_due(monotonic_now())) send(*event);
  arm();
}

void CallbackDispatcher::send(const webhooks::Event& event) {
  const directory::Domain* domain = directory_.domain(event.domain_id);
  webhooks::WebhookRequest request{
      .url = event.url, .body = event.body, .id = event.id, .timestamp = wall_now()};
  request.domain_id = event.domain_id;
  if (domain != nullptr) {
    request.secrets = domain->profile.webhook_secrets;
    request.most_of_domain = static_cast<std::size_t>(domain->profile.caps.webhooks);
    request.tenant_id = domain->tenant_id;
    const directory::Caps* caps = directory_.caps_of_tenant(domain->tenant_id);
    request.most_of_tenant = caps != nullptr ? static_cast<std::size_t>(caps->webhooks) : 0;
  }
  client_.post(std::move(request),
               [this, id = event.id](const webhooks::Reply& reply) { on_replied(id, reply); });
}

void CallbackDispatcher::on_replied(const std::string& id, const webhooks::Reply& reply) {
  thread_check_.check();
  webhooks::Event event;
  switch (outbox_.replied(id, reply, monotonic_now(), wall_now(), chance(), event)) {
    case webhooks::Fate::kDelivered:
      ++counters_.delivered;
      store_.commit(Transaction().remove_event(id), Urgency::kMustLast);
      break;
    case webhooks::Fate::kTriedAgain:
      ++counters_.failed_tries;
      store_.commit(Transaction().save(event), Urgency::kMustLast);
      break;
    case webhooks::Fate::kDead:
      ++counters_.buried;
      log::warn(event.token, "a callback was given up after {} tries: {}", event.tries, event.last_error);
      store_.commit(Transaction().bury(event), Urgency::kMustLast);
      break;
  }
  send_due();
}

void CallbackDispatcher::arm() {
  const Time due = outbox_.next_due();
  if (due == armed_for_) return;
  armed_for_ = due;
  if (due == kNever) return;
  timer_.expires_after(std::max(Duration::zero(), due - monotonic_now()));
  timer_.async_wait([this](boost::system::error_code failure) {
    if (failure) return;
    armed_for_ = kNever;
    send_due();
  });
}

void CallbackDispatcher::list_dead(std::int64_t domain_id, const PageRequest& page,
                                   std::function<void(std::optional<Page>)> done) {
  thread_check_.check();
  store_.queries().list_dead_events(domain_id, page, std::move(done));
}

void CallbackDispatcher::replay_dead(std::int64_t domain_id, const std::string& id,
                                     std::function<void(bool)> done) {
  thread_check_.check();
  store_.queries().find_dead_event(
      domain_id, id, [this, done = std::move(done)](std::optional<webhooks::Event> event) {
        if (!event) return done(false);
        event->tries = 0;
        event->created_at = wall_now();
        event->next_try_at = event->created_at;
        store_.commit(Transaction().save(*event), Urgency::kMustLast, [this, event, done](bool) {
          add(*event);
          done(true);
        });
      });
}

void CallbackDispatcher::drop_dead(std::int64_t domain_id, const std::string& id,
                                   std::function<void(bool)> done) {
  thread_check_.check();
  store_.queries().find_dead_event(domain_id, id,
                                   [this, done = std::move(done)](std::optional<webhooks::Event> event) {
                                     if (!event) return done(false);
                                     store_.commit(Transaction().remove_event(event->id), Urgency::kMustLast,
                                                   [done](bool) { done(true); });
                                   });
}

void CallbackDispatcher::forget_old() {
  store_.commit(Transaction().forget_dead_events(wall_now() - kDeadLettersAreKept), Urgency::kMustLast);
  forget_timer_.expires_after(kForgetEvery);
  forget_timer_.async_wait([this](boost::system::error_code failure) {
    if (!failure) forget_old();
  });
}

}  // namespace vas::control
