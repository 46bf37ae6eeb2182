#include "vas/directory/directory.h"

#include <openssl/sha.h>

#include <algorithm>

#include "base/match.h"
#include "base/text.h"

namespace vas::directory {

std::string_view to_string(Kind kind) {
  return with_kind(kind, [](const auto& description) { return description.name; });
}

std::optional<Kind> kind_named(std::string_view name) {
  const auto found =
      std::find_if(kKinds.begin(), kKinds.end(), [&](Kind kind) { return to_string(kind) == name; });
  return found == kKinds.end() ? std::nullopt : std::optional(*found);
}

std::optional<Kind> owner_of(Kind kind) {
  return with_kind(kind, [](const auto& description) { return description.owner; });
}

Kind kind_of(const Entry& entry) {
  return std::visit([]<typename T>(const T&) { return description_of<T>().kind; }, entry);
}

std::int64_t id_of(const Entry& entry) {
  return std::visit([](const auto& each) { return each.id; }, entry);
}

std::int64_t parent_of(const Entry& entry) {
  return std::visit(
      []<typename T>(const T& each) {
        const Description<T>& description = description_of<T>();
        return description.is_listed_under_owner ? description.owner_of(each) : 0;
      },
      entry);
}

std::string hash_of_key(std::string_view key) {
  std::uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(as_bytes(key).data(), key.size(), digest);
  return to_hex(digest);
}

std::string_view without_plus(std::string_view number) {
  return number.starts_with('+') ? number.substr(1) : number;
}

// ---- changes ----

void Directory::apply(const Change& change) {
  thread_check_.check();
  for (const auto& each : change) {
    match(
        each, [this](const Removal& removal) { remove(removal.kind, removal.id); },
        [this](const Entry& entry) { put(entry); });
  }
}

void Directory::put(Entry entry) {
  thread_check_.check();
  std::visit(
      [this]<typename T>(T& each) {
        if (const T* old = find<T>(each.id)) take_from_index(*old);
        add_to_index(each);
        std::get<ById<T>>(entries_).insert_or_assign(each.id, std::move(each));
      },
      entry);
}

void Directory::remove(Kind kind, std::int64_t id) {
  thread_check_.check();
  with_kind(kind, [&]<typename T>(const Description<T>&) {
    if (const T* old = find<T>(id)) take_from_index(*old);
    std::get<ById<T>>(entries_).erase(id);
  });
}

void Directory::add_to_index(const Domain& domain) {
  domains_by_name_.insert_or_assign(to_lower(domain.name), domain.id);
  for (const std::string& alias : domain.aliases)
    domains_by_name_.insert_or_assign(to_lower(alias), domain.id);
}

void Directory::take_from_index(const Domain& domain) {
  domains_by_name_.erase(to_lower(domain.name));
  for (const std::string& alias : domain.aliases) domains_by_name_.erase(to_lower(alias));
}

void Directory::add_to_index(const Subscriber& subscriber) {
  const std::int64_t id = subscriber.id;
  subscribers_by_number_.insert_or_assign({subscriber.domain_id, subscriber.msisdn}, id);
  for (const std::string& alias : subscriber.aliases)
    subscribers_by_number_.insert_or_assign({subscriber.domain_id, std::string(without_plus(alias))}, id);
}

void Directory::take_from_index(const Subscriber& subscriber) {
  subscribers_by_number_.erase({subscriber.domain_id, subscriber.msisdn});
  for (const std::string& alias : subscriber.aliases)
    subscribers_by_number_.erase({subscriber.domain_id, std::string(without_plus(alias))});
}

void Directory::add_to_index(const ApiKey& key) { keys_by_hash_.insert_or_assign(key.sha256, key.id); }
void Directory::take_from_index(const ApiKey& key) { keys_by_hash_.erase(key.sha256); }

// ---- reading ----

template <typename T>
const T* Directory::find(std::int64_t id) const {
  const auto found = all<T>().find(id);
  return found == all<T>().end() ? nullptr : &found->second;
}

const Tenant* Directory::tenant(std::int64_t id) const { return find<Tenant>(id); }
const Domain* Directory::domain(std::int64_t id) const { return find<Domain>(id); }
const Subscriber* Directory::subscriber(std::int64_t id) const { return find<Subscriber>(id); }
const Trunk* Directory::trunk(std::int64_t id) const { return find<Trunk>(id); }
const ApiKey* Directory::key(std::int64_t id) const { return find<ApiKey>(id); }

const Domain* Directory::find_domain(std::string_view name_alias_or_id) const {
  thread_check_.check();
  const auto by_name = domains_by_name_.find(to_lower(name_alias_or_id));
  if (by_name != domains_by_name_.end()) return domain(by_name->second);
  const auto id = parse_number<std::int64_t>(name_alias_or_id);
  return id ? domain(*id) : nullptr;
}

const Subscriber* Directory::find_subscriber(std::int64_t domain_id, std::string_view number) const {
  thread_check_.check();
  const auto found = subscribers_by_number_.find({domain_id, std::string(without_plus(number))});
  return found == subscribers_by_number_.end() ? nullptr : subscriber(found->second);
}

std::vector<const Trunk*> Directory::trusted_trunks(const IpAddress& source) const {
  thread_check_.check();
  std::vector<const Trunk*> trusted;
  for (const auto& [id, trunk] : all<Trunk>()) {
    const bool is_trusted = std::any_of(trunk.sources.begin(), trunk.sources.end(),
                                        [&](const Network& each) { return each.contains(source); });
    if (is_trusted) trusted.push_back(&trunk);
  }
  return trusted;
}

std::vector<const Trunk*> Directory::trunks_for(std::int64_t domain_id, std::string_view number) const {
  thread_check_.check();
  struct Match {
    const Trunk* trunk;
    std::size_t prefix_length;
  };
  std::vector<Match> matches;
  const std::string_view digits = without_plus(number);
  for (const auto& [id, trunk] : all<Trunk>()) {
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

bool Directory::has_domains(std::int64_t tenant_id) const { return count_of(Kind::kDomain, tenant_id) > 0; }

std::size_t Directory::count_of(Kind kind, std::int64_t owner) const {
  return with_kind(kind, [&]<typename T>(const Description<T>& description) {
    return static_cast<std::size_t>(std::count_if(all<T>().begin(), all<T>().end(), [&](const auto& each) {
      return description.owner_of(each.second) == owner;
    }));
  });
}

std::vector<std::int64_t> Directory::domains_of(std::int64_t tenant_id) const {
  std::vector<std::int64_t> ids;
  for (const auto& [id, domain] : all<Domain>()) {
    if (domain.tenant_id == tenant_id) ids.push_back(id);
  }
  return ids;
}

Change Directory::removal_of_domain(std::int64_t domain_id) const {
  Change change;
  for (const Kind kind : kKinds) {
    with_kind(kind, [&]<typename T>(const Description<T>& description) {
      if (description.owner != Kind::kDomain) return;
      for (const auto& [id, each] : all<T>()) {
        if (description.owner_of(each) == domain_id) change.emplace_back(Removal{kind, id});
      }
    });
  }
  change.emplace_back(Removal{Kind::kDomain, domain_id});
  return change;
}

std::int64_t Directory::highest_id(Kind kind) const {
  return with_kind(kind, [this]<typename T>(const Description<T>&) -> std::int64_t {
    return all<T>().empty() ? 0 : all<T>().rbegin()->first;
  });
}

// Looking up the hash tells an attacker nothing of the key: whatever it guesses, the hash is as random.
const ApiKey* Directory::authenticate(std::string_view key) const {
  thread_check_.check();
  const auto found = keys_by_hash_.find(hash_of_key(key));
  return found == keys_by_hash_.end() ? nullptr : this->key(found->second);
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
