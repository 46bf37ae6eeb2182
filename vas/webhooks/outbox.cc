#include "vas/webhooks/outbox.h"

#include <algorithm>

namespace vas::webhooks {
namespace {

// Of one event: doubled after each try, with jitter.
constexpr Duration kFirstBackoff = std::chrono::seconds(1);
constexpr Duration kLongestBackoff = std::chrono::hours(1);
constexpr Duration kFirstPause = std::chrono::seconds(1);  // of the breaker
constexpr Duration kLongestPause = std::chrono::minutes(1);
// RFC 9110 §15.5.11: the endpoint wants no more.
constexpr int kGone = 410;

Duration doubled(Duration first, int times, Duration longest) {
  return times >= 20 ? longest : std::min(longest, first * (std::int64_t{1} << times));
}

}  // namespace

std::string endpoint_of(std::string_view url) {
  const auto scheme_end = url.find("://");
  const auto host_begin = scheme_end == std::string_view::npos ? 0 : scheme_end + 3;
  const auto host_end = std::min(url.find_first_of("/?#", host_begin), url.size());
  std::string_view authority = url.substr(host_begin, host_end - host_begin);
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  std::string endpoint(url.substr(0, host_begin));
  endpoint += authority;
  std::transform(endpoint.begin(), endpoint.end(), endpoint.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return endpoint;
}

bool Outbox::add(Event event, Time now, Duration wait) {
  thread_check_.check();
  if (!events_.draw(event.domain_id, 1)) return false;
  const std::string token = event.token;
  Queue& queue = queues_[token];
  queue.events.push_back(std::move(event));
  if (queue.events.size() == 1) offer(token, queue, now + wait);
  return true;
}

// The queue's front event waits at its endpoint.
void Outbox::offer(const std::string& token, Queue& queue, Time due) {
  queue.endpoint = endpoint_of(queue.events.front().url);
  queue.due = due;
  Endpoint& endpoint = endpoints_[queue.endpoint];
  endpoint.waiting.emplace(due, token);
  schedule(queue.endpoint, endpoint);
}

// When this endpoint is next to be looked at: nothing while it is as busy as it may be.
void Outbox::schedule(const std::string& name, Endpoint& endpoint) {
  const bool can_send = !endpoint.waiting.empty() && endpoint.under_way < allowed(endpoint);
  const Time due = can_send ? std::max(endpoint.waiting.begin()->first, endpoint.closed_until) : kNever;
  if (due == endpoint.due) return;
  due_.erase({endpoint.due, name});
  endpoint.due = due;
  if (due != kNever) due_.emplace(due, name);
}

std::vector<const Event*> Outbox::pop_due(Time now) {
  thread_check_.check();
  std::vector<const Event*> taken;
  while (!due_.empty() && due_.begin()->first <= now) {
    const std::string name = due_.begin()->second;
    Endpoint& endpoint = endpoints_.at(name);
    while (!endpoint.waiting.empty() && endpoint.waiting.begin()->first <= now &&
           endpoint.under_way < allowed(endpoint)) {
      const std::string token = endpoint.waiting.begin()->second;
      endpoint.waiting.erase(endpoint.waiting.begin());
      ++endpoint.under_way;
      const Event& event = queues_.at(token).events.front();
      under_way_.emplace(event.id, token);
      taken.push_back(&event);
    }
    schedule(name, endpoint);
  }
  return taken;
}

Fate Outbox::replied(const std::string& id, const Reply& reply, Time now, WallTime wall, double chance,
                     Event& event) {
  thread_check_.check();
  const auto found = under_way_.find(id);
  const std::string token = found->second;
  under_way_.erase(found);
  Queue& queue = queues_.at(token);
  const std::string name = queue.endpoint;
  Endpoint& endpoint = endpoints_.at(name);
  --endpoint.under_way;

  Event& front = queue.events.front();
  ++front.tries;
  front.last_error = reply.error;
  const bool is_delivered = reply.status / 100 == 2;
  const bool is_given_up =
      reply.status == kGone || reply.is_refused || wall - front.created_at >= kLongestTrying;
  // An endpoint that replies at all, be it with 4xx, does not hang.
  judge(endpoint, reply.status != 0 && reply.status / 100 != 5, now);

  if (!is_delivered && !is_given_up) {
    const Duration full = doubled(kFirstBackoff, front.tries - 1, kLongestBackoff);
    const auto wait =
        Duration(static_cast<std::int64_t>(static_cast<double>(full.count()) * (0.5 + chance / 2)));
    front.next_try_at = wall + std::chrono::duration_cast<std::chrono::milliseconds>(wait);
    event = front;
    offer(token, queue, now + wait);
    return Fate::kTriedAgain;
  }
  event = std::move(front);
  queue.events.pop_front();
  events_.give_back(event.domain_id, 1);
  if (queue.events.empty()) {
    queues_.erase(token);
  } else {
    offer(token, queue, now);
  }
  schedule(name, endpoint);
  forget_if_idle(name);
  return is_delivered ? Fate::kDelivered : Fate::kDead;
}

void Outbox::judge(Endpoint& endpoint, bool is_success, Time now) {
  if (is_success) {
    endpoint.failures = 0;
    endpoint.closed_until = Time{};
    endpoint.at_once = std::min(endpoint.at_once + 1, kMaxAtOnce);
    return;
  }
  endpoint.at_once = std::max(kAtOnceAtFirst, endpoint.at_once / 2);
  if (++endpoint.failures < kFailuresThatBreak) return;
  endpoint.closed_until = now + doubled(kFirstPause, endpoint.failures - kFailuresThatBreak, kLongestPause);
}

void Outbox::forget_if_idle(const std::string& name) {
  const auto found = endpoints_.find(name);
  const Endpoint& endpoint = found->second;
  const bool is_idle = endpoint.waiting.empty() && endpoint.under_way == 0;
  // A broken one is remembered while it has events; the next event of a forgotten one finds out again.
  if (is_idle) endpoints_.erase(found);
}

std::size_t Outbox::broken_endpoints() const {
  return static_cast<std::size_t>(std::count_if(endpoints_.begin(), endpoints_.end(), [](const auto& each) {
    return each.second.failures >= kFailuresThatBreak;
  }));
}

}  // namespace vas::webhooks
