#include "vas/control/directory_controller.h"

#include <algorithm>

#include "base/host_port.h"
#include "base/log.h"
#include "vas/webhooks/url.h"

namespace vas::control {
namespace {

using directory::Kind;
using store::Transaction;
using store::Urgency;

std::string counter_of(Kind kind) { return "last-" + std::string(to_string(kind)) + "-id"; }
std::size_t index_of(Kind kind) { return static_cast<std::size_t>(kind); }

Kind kind_of(const directory::Removal& removal) { return removal.kind; }

bool touches(const directory::Change& change, Kind kind) {
  return std::any_of(change.begin(), change.end(), [kind](const auto& each) {
    return kind == std::visit([](const auto& what) { return kind_of(what); }, each);
  });
}

}  // namespace

DirectoryController::DirectoryController(store::Store& store, webhooks::AddressGuard guard,
                                         std::shared_ptr<const AddressPolicy> peers)
    : store_(store), guard_(std::move(guard)), peers_(std::move(peers)) {}

void DirectoryController::restore(const directory::Change& entries,
                                  const std::vector<std::pair<std::string, std::int64_t>>& counters) {
  thread_check_.check();
  directory_.apply(entries);
  for (const Kind kind : directory::kKinds) {
    std::int64_t& last = last_ids_[index_of(kind)];
    last = directory_.highest_id(kind);
    for (const auto& [name, value] : counters) {
      if (name == counter_of(kind)) last = std::max(last, value);
    }
  }
}

std::int64_t DirectoryController::next_id(Kind kind) {
  thread_check_.check();
  std::int64_t& last = last_ids_[index_of(kind)];
  return last = ids_.next(last);
}

void DirectoryController::adopt(const directory::Change& change) {
  thread_check_.check();
  directory_.apply(change);
  for (const Kind kind : directory::kKinds)
    last_ids_[index_of(kind)] = std::max(last_ids_[index_of(kind)], directory_.highest_id(kind));
  if (observer_) observer_(directory_);
}

void DirectoryController::replace(const directory::Change& entries) {
  thread_check_.check();
  directory_ = directory::Directory();
  adopt(entries);
}

void DirectoryController::change(Plan plan, Done done) {
  thread_check_.check();
  if (waiting_.size() >= kMaxWaiting)
    return done(api::Refused{503, "Too many changes of the directory wait. Try again in a moment."});
  waiting_.push_back({std::move(plan), std::move(done)});
  if (waiting_.size() == 1) begin_next();
}

// Stored first, in force then, replied to last.
void DirectoryController::begin_next() {
  while (!waiting_.empty()) {
    auto change = std::make_shared<directory::Change>();
    if (const auto refused = waiting_.front().plan(directory_, *change)) {
      const Done done = std::move(waiting_.front().done);
      waiting_.pop_front();
      done(refused);
      continue;
    }
    Transaction transaction;
    transaction.apply(*change);
    for (const Kind kind : directory::kKinds) {
      if (touches(*change, kind)) transaction.set_counter(counter_of(kind), last_ids_[index_of(kind)]);
    }
    store_.commit(std::move(transaction), Urgency::kMayFail, [this, change](bool committed) {
      if (committed) directory_.apply(*change);
      if (committed && observer_) observer_(directory_);
      const Done done = std::move(waiting_.front().done);
      waiting_.pop_front();
      done(committed ? std::nullopt
                     : std::optional(api::Refused{503, "It could not be stored. Try again in a moment."}));
      begin_next();
    });
    return;
  }
}

void DirectoryController::list(Kind kind, std::int64_t parent, const PageRequest& page,
                               std::function<void(std::optional<Page>)> done) {
  thread_check_.check();
  store_.queries().list_directory(kind, parent, page, std::move(done));
}

std::size_t DirectoryController::sessions_of(std::int64_t domain_id) const {
  return sessions_ != nullptr ? sessions_->size_of_domain(domain_id) : 0;
}

std::optional<std::string> DirectoryController::fault_of_url(const std::string& url) const {
  return webhooks::fault_of_url(url, guard_);
}

std::optional<std::string> DirectoryController::fault_of_server(std::string_view server,
                                                                bool reaches_private) const {
  const auto parsed = HostPort::parse(server.substr(0, server.find(';')));
  const auto address = parsed ? IpAddress::parse(parsed->host) : std::nullopt;
  if (!address) return {};
  const auto ranges =
      reaches_private ? AddressPolicy::PrivateRanges::kOpen : AddressPolicy::PrivateRanges::kClosed;
  const auto kind = peers_->refusal_of(*address, ranges);
  if (!kind) return {};
  return "names " + to_string(*address) + ", which is " + to_string(*kind) +
         "; the operator's `peer-allow` can let it through";
}

}  // namespace vas::control
