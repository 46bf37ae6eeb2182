#include "vas/directory/directory.h"

#include <openssl/sha.h>

#include <algorithm>

#include "base/match.h"
#include "base/text.h"

namespace vas::directory {
namespace {

template <typename T>
const T* find_in(const std::map<std::int64_t, T>& entries, std::int64_t id) {
  const auto found = entries.find(id);
  return found == entries.end() ? nullptr : &found->second;
}

template <typename T>
std::int64_t highest_in(const std::map<std::int64_t, T>& entries) {
  return entries.empty() ? 0 : entries.rbegin()->first;
}

}  // namespace

Kind kind_of(const Entry& entry) { return static_cast<Kind>(entry.index()); }
static_assert(
    std::is_same_v<std::variant_alternative_t<static_cast<std::size_t>(Kind::kApiKey), Entry>, ApiKey>);

std::int64_t id_of(const Entry& entry) {
  return std::visit([](const auto& each) { return each.id; }, entry);
}

std::int64_t parent_of(const Entry& entry) {
  constexpr std::int64_t kNone = 0;
  return match(
      entry, [](const Tenant&) { return kNone; }, [](const Domain& each) { return each.tenant_id; },
      [](const Subscriber& each) { return each.domain_id; }, [](const Trunk& each) { return each.domain_id; },
      [](const ApiKey&) { return kNone; });
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
  match(
      std::move(entry), [this](Tenant&& each) { tenants_.insert_or_assign(each.id, std::move(each)); },
      [this](Domain&& each) { put_domain(std::move(each)); },
      [this](Subscriber&& each) { put_subscriber(std::move(each)); },
      [this](Trunk&& each) { trunks_.insert_or_assign(each.id, std::move(each)); },
      [this](ApiKey&& each) { put_key(std::move(each)); });
}

void Directory::remove(Kind kind, std::int64_t id) {
  thread_check_.check();
  switch (kind) {
    case Kind::kTenant: tenants_.erase(id); return;
    case Kind::kDomain:
      if (const Domain* old = domain(id)) forget_names(*old);
      domains_.erase(id);
      return;
    case Kind::kSubscriber:
      if (const Subscriber* old = subscriber(id)) forget_numbers(*old);
      subscribers_.erase(id);
      return;
    case Kind::kTrunk: trunks_.erase(id); return;
    case Kind::kApiKey:
      if (const ApiKey* old = key(id)) keys_by_hash_.erase(old->sha256);
      keys_.erase(id);
      return;
  }
}

void Directory::put_key(ApiKey key) {
  remove(Kind::kApiKey, key.id);
  keys_by_hash_.insert_or_assign(key.sha256, key.id);
  keys_.insert_or_assign(key.id, std::move(key));
}

void Directory::put_domain(Domain domain) {
  remove(Kind::kDomain, domain.id);
  domains_by_name_.insert_or_assign(to_lower(domain.name), domain.id);
  for (const std::string& alias : domain.aliases)
    domains_by_name_.insert_or_assign(to_lower(alias), domain.id);
  domains_.insert_or_assign(domain.id, std::move(domain));
}

void Directory::put_subscriber(Subscriber subscriber) {
  const std::int64_t id = subscriber.id;
  remove(Kind::kSubscriber, id);
  subscribers_by_number_.insert_or_assign({subscriber.domain_id, subscriber.msisdn}, id);
  for (const std::string& alias : subscriber.aliases) {
    subscribers_by_number_.insert_or_assign({subscriber.domain_id, std::string(without_plus(alias))}, id);
  }
  subscribers_.insert_or_assign(id, std::move(subscriber));
}

void Directory::forget_names(const Domain& domain) {
  domains_by_name_.erase(to_lower(domain.name));
  for (const std::string& alias : domain.aliases) domains_by_name_.erase(to_lower(alias));
}

void Directory::forget_numbers(const Subscriber& subscriber) {
  subscribers_by_number_.erase({subscriber.domain_id, subscriber.msisdn});
  for (const std::string& alias : subscriber.aliases)
    subscribers_by_number_.erase({subscriber.domain_id, std::string(without_plus(alias))});
}

// ---- reading ----

const Tenant* Directory::tenant(std::int64_t id) const { return find_in(tenants_, id); }
const Domain* Directory::domain(std::int64_t id) const { return find_in(domains_, id); }
const Subscriber* Directory::subscriber(std::int64_t id) const { return find_in(subscribers_, id); }
const Trunk* Directory::trunk(std::int64_t id) const { return find_in(trunks_, id); }
const ApiKey* Directory::key(std::int64_t id) const { return find_in(keys_, id); }

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
  for (const auto& [id, trunk] : trunks_) {
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

bool Directory::has_domains(std::int64_t tenant_id) const {
  return std::any_of(domains_.begin(), domains_.end(),
                     [&](const auto& each) { return each.second.tenant_id == tenant_id; });
}

std::size_t Directory::count_of(Kind kind, std::int64_t parent) const {
  const auto count = [parent](const auto& entries, auto owner) {
    return static_cast<std::size_t>(std::count_if(
        entries.begin(), entries.end(), [&](const auto& each) { return owner(each.second) == parent; }));
  };
  const auto domain_of = [](const auto& each) { return each.domain_id; };
  switch (kind) {
    case Kind::kTenant: return tenants_.size();
    case Kind::kDomain: return count(domains_, [](const Domain& each) { return each.tenant_id; });
    case Kind::kSubscriber: return count(subscribers_, domain_of);
    case Kind::kTrunk: return count(trunks_, domain_of);
    case Kind::kApiKey: return count(keys_, domain_of);
  }
  return 0;
}

std::vector<std::int64_t> Directory::domains_of(std::int64_t tenant_id) const {
  std::vector<std::int64_t> ids;
  for (const auto& [id, domain] : domains_) {
    if (domain.tenant_id == tenant_id) ids.push_back(id);
  }
  return ids;
}

Change Directory::removal_of_domain(std::int64_t domain_id) const {
  Change change;
  const auto collect = [&](Kind kind, const auto& entries) {
    for (const auto& [id, each] : entries) {
      if (each.domain_id == domain_id) change.emplace_back(Removal{kind, id});
    }
  };
  collect(Kind::kSubscriber, subscribers_);
  collect(Kind::kTrunk, trunks_);
  collect(Kind::kApiKey, keys_);
  change.emplace_back(Removal{Kind::kDomain, domain_id});
  return change;
}

std::int64_t Directory::highest_id(Kind kind) const {
  switch (kind) {
    case Kind::kTenant: return highest_in(tenants_);
    case Kind::kDomain: return highest_in(domains_);
    case Kind::kSubscriber: return highest_in(subscribers_);
    case Kind::kTrunk: return highest_in(trunks_);
    case Kind::kApiKey: return highest_in(keys_);
  }
  return 0;
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
