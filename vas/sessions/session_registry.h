// All live sessions, by token, and who waits for one to be picked up.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/id_space.h"
#include "base/thread_check.h"
#include "base/time.h"
#include "vas/sessions/creation_keys.h"
#include "vas/sessions/session.h"
#include "vas/sessions/token_index.h"

namespace vas::sessions {

// How a long poll ends: 200 or 205 of the API.
enum class PollOutcome { kConnected, kGone };

// Keeps all sessions in memory by id and token, their polls, and what each domain takes. It decides whether
// one more fits into what the process can hold. What is stored, and who may have it, it need not know.
//
// Threads: control only.
// Bounds:  kMaxSessions sessions of kMaxBytes, kMaxWaiters polls on one session and kMaxAllWaiters in all:
// beyond them refused. What a domain has of them is counted for whoever gives it a share.
class SessionRegistry {
 public:
  // With kMaxBytes a kilobyte for each: many have no plan, some a long one.
  static constexpr std::size_t kMaxSessions = 1'000'000;
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 30;
  // A subscriber's phones and apps: each polls once.
  static constexpr std::size_t kMaxWaiters = 16;
  // As many as the API has connections (HttpServer::kMaxConnections): each poll holds one.
  static constexpr std::size_t kMaxAllWaiters = 100'000;
  using Waiter = std::function<void(PollOutcome)>;

  // `index`: told of every token that comes and goes; outlives the registry.
  explicit SessionRegistry(TokenIndex* index = nullptr) : index_(index) {}

  // Null when the registry is full. The token must be new.
  Session* add(Session session);
  Session* find(std::string_view token);
  // A session of another node, as it is there now; its waiters get kConnected when it was picked up.
  void replace(Session session);
  void remove(std::string_view token);  // its waiters get kGone
  // The same of one that could not be stored: whoever asked for it may ask again.
  void revoke(std::string_view token);
  // After its texts have changed.
  void count_anew(std::string_view token);
  const CreationKeys& creation_keys() const { return creation_keys_; }
  void set_ids(const IdSpace& ids) { ids_ = ids; }

  std::size_t size() const { return sessions_.size(); }
  struct Use {
    std::size_t sessions = 0;
    std::size_t bytes = 0;  // about what they take, when they were added
    std::size_t waiting = 0;
  };
  Use use_of(std::int64_t domain_id) const;
  std::size_t size_of_domain(std::int64_t domain_id) const { return use_of(domain_id).sessions; }
  std::size_t bytes() const { return bytes_; }
  static std::size_t bytes_of(const Session& session);
  const std::unordered_map<std::int64_t, Use>& uses() const { return per_domain_; }
  std::size_t waiting() const { return waiting_; }
  // Tokens of sessions whose time is over and that nobody dialled. Costs as much as it finds.
  std::vector<std::string> pop_expired(WallTime now);
  void forget_old_keys(WallTime now) { creation_keys_.sweep(now); }
  // Grows from one process to the next too, so that an id never comes again. Below 2^53: JSON keeps it whole.
  std::int64_t next_id(WallTime now);

  // Returns a ticket for leave(), or nothing when there are too many.
  std::optional<std::uint64_t> wait(std::string_view token, Waiter waiter);
  void leave(std::string_view token, std::uint64_t ticket);
  void wake(std::string_view token, PollOutcome outcome);

 private:
  struct Entry {
    Session session;
    std::map<std::uint64_t, Waiter> waiters;
    std::size_t bytes = 0;
  };
  void count_left(std::int64_t domain_id, std::size_t waiters);
  void drop(std::unordered_map<std::string, Entry>::iterator found);
  TokenIndex* const index_;
  std::unordered_map<std::string, Entry> sessions_;
  CreationKeys creation_keys_;
  std::set<std::pair<WallTime, std::string>> expiries_;  // of sessions not dialled yet, when last looked at
  std::unordered_map<std::int64_t, Use> per_domain_;     // of those with sessions
  std::size_t bytes_ = 0;
  std::size_t waiting_ = 0;
  IdSpace ids_;
  std::int64_t last_id_ = 0;
  std::uint64_t next_ticket_ = 1;
  ThreadCheck thread_check_{"SessionRegistry"};
};

}  // namespace vas::sessions
