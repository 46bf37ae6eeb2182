#include "signaling/gateway/net/connection_table.h"

#include <algorithm>
#include <vector>

#include "base/source_block.h"

namespace vas::signaling {
namespace {

// Closing costs system calls: the other connections have their turn between.
constexpr std::size_t kMaxClosedAtOnce = 500;

}  // namespace

bool ConnectionTable::makes_room_for(const IpAddress& peer) {
  thread_check_.check();
  const auto held = per_source_.find(source_block(peer));
  if (held != per_source_.end() && held->second >= max_of_address_) return false;
  if (by_id_.size() < max_connections_) return true;
  const auto silent = longest_silent();
  if (silent == nullptr) return false;
  silent->close();
  return true;
}

// Linear, and only when all places are taken: a connection that is accepted then costs no more than that.
std::shared_ptr<Connection> ConnectionTable::longest_silent() const {
  std::shared_ptr<Connection> longest;
  for (const auto& [id, connection] : by_id_) {
    if (connection->is_proved()) continue;
    if (longest == nullptr || connection->last_heard() < longest->last_heard()) longest = connection;
  }
  return longest;
}

void ConnectionTable::add(const std::shared_ptr<Connection>& connection) {
  thread_check_.check();
  const Flow& flow = connection->flow();
  by_id_.emplace(flow.connection, connection);
  ++per_source_[source_block(flow.peer.address)];
}

void ConnectionTable::add_dialled(const std::shared_ptr<Connection>& connection,
                                  const std::string& tls_name) {
  thread_check_.check();
  add(connection);
  const Flow& flow = connection->flow();
  dialled_.insert_or_assign({flow.transport, flow.peer, tls_name}, flow.connection);
}

void ConnectionTable::replace(const std::shared_ptr<Connection>& connection) {
  thread_check_.check();
  by_id_.insert_or_assign(connection->flow().connection, connection);
}

void ConnectionTable::remove(const Connection& connection) {
  thread_check_.check();
  const Flow flow = connection.flow();  // it may go with the entry
  if (by_id_.erase(flow.connection) == 0) return;
  std::erase_if(dialled_, [&](const auto& each) { return each.second == flow.connection; });
  const auto held = per_source_.find(source_block(flow.peer.address));
  if (held != per_source_.end() && --held->second == 0) per_source_.erase(held);
}

void ConnectionTable::clear() {
  by_id_.clear();
  dialled_.clear();
  per_source_.clear();
}

Connection* ConnectionTable::find(std::uint64_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second.get();
}

Connection* ConnectionTable::find_dialled(Transport transport, const Endpoint& peer,
                                          const std::string& tls_name) const {
  const auto found = dialled_.find({transport, peer, tls_name});
  return found == dialled_.end() ? nullptr : find(found->second);
}

void ConnectionTable::close_overdue(Time now) {
  thread_check_.check();
  std::vector<std::shared_ptr<Connection>> overdue;
  std::vector<std::shared_ptr<Connection>> pages;
  for (const auto& [id, connection] : by_id_) {
    if (connection->is_overdue(now)) {
      overdue.push_back(connection);
    } else if (connection->is_silent_page()) {
      pages.push_back(connection);
    }
    if (overdue.size() >= kMaxClosedAtOnce) break;  // the rest are next
  }
  if (pages.size() > kMaxSilentPages) {
    const auto kept = pages.end() - static_cast<std::ptrdiff_t>(kMaxSilentPages);
    std::nth_element(pages.begin(), kept, pages.end(),
                     [](const auto& a, const auto& b) { return a->opened() < b->opened(); });
    overdue.insert(overdue.end(), pages.begin(), kept);
  }
  for (const auto& connection : overdue) connection->close();
}

void ConnectionTable::close_unproved_of(const IpAddress& peer) {
  thread_check_.check();
  std::vector<std::shared_ptr<Connection>> theirs;
  for (const auto& [id, connection] : by_id_) {
    if (!connection->is_proved() && source_block(connection->flow().peer.address) == source_block(peer))
      theirs.push_back(connection);
  }
  for (const auto& connection : theirs) connection->close();
}

}  // namespace vas::signaling
