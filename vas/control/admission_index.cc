#include "vas/control/admission_index.h"

#include <algorithm>
#include <mutex>

namespace vas::control {

void AdmissionIndex::set_trunks(const directory::Directory& directory) {
  thread_check_.check();
  NetworkSet trunks;
  NetworkSet exempt;
  for (const auto& [id, trunk] : directory.trunks()) {
    for (const Network& source : trunk.sources) {
      trunks.add(source);
      if (trunk.trusted) exempt.add(source);
    }
  }
  const std::unique_lock lock(mutex_);
  trunks_ = std::move(trunks);
  exempt_ = std::move(exempt);
}

bool AdmissionIndex::is_trusted(const IpAddress& source) const {
  const std::shared_lock lock(mutex_);
  return trunks_.contains(source);
}

bool AdmissionIndex::is_exempt(const IpAddress& source) const {
  const std::shared_lock lock(mutex_);
  return exempt_.contains(source);
}

void AdmissionIndex::set_nodes(std::map<std::string, Endpoint> nodes) {
  thread_check_.check();
  const std::unique_lock lock(mutex_);
  nodes_ = std::move(nodes);
}

bool AdmissionIndex::is_node(const Endpoint& source) const {
  const std::shared_lock lock(mutex_);
  return std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& each) { return each.second == source; });
}

AdmissionIndex::TokenPlace AdmissionIndex::find_token(std::string_view token) const {
  const auto node = tokens_.find(token);
  if (!node) return {};
  if (*node == node_) return {TokenPlace::Where::kHere, {}};
  const std::shared_lock lock(mutex_);
  const auto found = nodes_.find(*node);
  if (found == nodes_.end()) return {};
  return {TokenPlace::Where::kAtNode, found->second};
}

}  // namespace vas::control
