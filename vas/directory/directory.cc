#include "vas/directory/directory.h"

#include <openssl/sha.h>

#include <algorithm>

#include "vas/base/text.h"

namespace vas::directory {

std::string hash_of_key(std::string_view key) {
  std::uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(as_bytes(key).data(), key.size(), digest);
  return to_hex(digest);
}

std::string_view without_plus(std::string_view number) {
  return number.starts_with('+') ? number.substr(1) : number;
}

void Directory::put(Domain domain) {
  domains_by_name_.insert_or_assign(to_lower(domain.name), domain.id);
  for (const std::string& alias : domain.aliases)
    domains_by_name_.insert_or_assign(to_lower(alias), domain.id);
  domains_.insert_or_assign(domain.id, std::move(domain));
}

void Directory::put(Subscriber subscriber) {
  const std::int64_t id = subscriber.id;
  subscribers_by_number_.insert_or_assign({subscriber.domain_id, subscriber.msisdn}, id);
  for (const std::string& alias : subscriber.aliases) {
    subscribers_by_number_.insert_or_assign({subscriber.domain_id, std::string(without_plus(alias))}, id);
  }
  subscribers_.insert_or_assign(id, std::move(subscriber));
}

const Domain* Directory::domain(std::int64_t id) const {
  const auto found = domains_.find(id);
  return found == domains_.end() ? nullptr : &found->second;
}

const Domain* Directory::find_domain(std::string_view name_alias_or_id) const {
  const auto by_name = domains_by_name_.find(to_lower(name_alias_or_id));
  if (by_name != domains_by_name_.end()) return domain(by_name->second);
  const auto id = parse_number<std::int64_t>(name_alias_or_id);
  return id ? domain(*id) : nullptr;
}

const Subscriber* Directory::subscriber(std::int64_t id) const {
  const auto found = subscribers_.find(id);
  return found == subscribers_.end() ? nullptr : &found->second;
}

const Subscriber* Directory::find_subscriber(std::int64_t domain_id, std::string_view number) const {
  const auto found = subscribers_by_number_.find({domain_id, std::string(without_plus(number))});
  return found == subscribers_by_number_.end() ? nullptr : subscriber(found->second);
}

const Trunk* Directory::trusted_trunk(const IpAddress& source) const {
  for (const auto& [id, trunk] : trunks_) {
    const bool is_trusted = std::any_of(trunk.sources.begin(), trunk.sources.end(),
                                        [&](const Network& each) { return each.contains(source); });
    if (is_trusted) return &trunk;
  }
  return nullptr;
}

std::vector<const Trunk*> Directory::trunks_for(std::int64_t domain_id, std::string_view number) const {
  struct Match {
    const Trunk* trunk;
    std::size_t prefix_length;
  };
  std::vector<Match> matches;
  const std::string_view digits = without_plus(number);
  for (const auto& [id, trunk] : trunks_) {
    if (trunk.domain_id != domain_id || trunk.targets.empty()) continue;
    std::optional<std::size_t> longest;
    for (const std::string& prefix : trunk.prefixes) {
      if (digits.starts_with(without_plus(prefix))) longest = std::max(longest.value_or(0), prefix.size());
    }
    if (trunk.prefixes.empty()) longest = 0;
    if (longest) matches.push_back({&trunk, *longest});
  }
  std::stable_sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) {
    return a.prefix_length != b.prefix_length ? a.prefix_length > b.prefix_length
                                              : a.trunk->priority < b.trunk->priority;
  });
  std::vector<const Trunk*> trunks;
  for (const Match& match : matches) trunks.push_back(match.trunk);
  return trunks;
}

// Looking up the hash tells an attacker nothing of the key: whatever it guesses, the hash is as random.
const ApiKey* Directory::authenticate(std::string_view key) const {
  const auto found = keys_.find(hash_of_key(key));
  return found == keys_.end() ? nullptr : &found->second;
}

bool Directory::is_authorized(const ApiKey& key, const Domain& domain, bool applications_too) const {
  switch (key.scope) {
    case KeyScope::kSystem: return true;
    case KeyScope::kTenant: return key.tenant_id == domain.tenant_id;
    case KeyScope::kDomain: return key.domain_id == domain.id;
    case KeyScope::kApplication: return applications_too && key.domain_id == domain.id;
  }
  return false;
}

}  // namespace vas::directory
