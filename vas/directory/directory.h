// Who may call whom: tenants, domains, subscribers, trunks and API keys, read from memory.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vas/base/endpoint.h"
#include "vas/base/result.h"
#include "vas/base/time.h"

namespace vas::directory {

struct Tenant {
  std::int64_t id = 0;
  std::string name;
};

// What the profile says, checked and with defaults; the profile itself is kept as it was given.
struct DomainProfile {
  std::string control_endpoint;                      // registration-free-control-endpoint
  std::string routing_application;                   // call-routing-application
  std::string webhook_secret;                        // webhook-secret
  Duration call_timeout = std::chrono::seconds(60);  // call-timeout
  Duration session_ttl = std::chrono::seconds(300);  // session-ttl
};

struct Domain {
  std::int64_t id = 0;
  std::int64_t tenant_id = 0;
  std::string name;
  std::vector<std::string> aliases;
  std::string profile_json = "{}";
  DomainProfile profile;
};

struct Subscriber {
  std::int64_t id = 0;
  std::int64_t domain_id = 0;
  std::string msisdn;  // without a leading +
  std::vector<std::string> aliases;
  bool active = true;
};

struct Trunk {
  std::int64_t id = 0;
  std::int64_t domain_id = 0;
  std::string name;
  std::vector<Network> sources;       // INVITEs from here are trusted
  std::vector<std::string> targets;   // "192.0.2.7:5060" or with ";transport=tcp", tried in order
  std::vector<std::string> prefixes;  // numbers that it takes; an empty one takes all
  int priority = 100;                 // lower first, among equally long prefixes
  std::string strip_prefix;           // taken off the number that goes out
  std::string add_prefix;             // then put on
  bool latches_to_anyone = false;     // its media may come from an address that SIP does not show
};

enum class KeyScope { kSystem, kTenant, kDomain, kApplication };

struct ApiKey {
  std::int64_t id = 0;
  std::string sha256;  // of the key, hex: keys are not stored
  KeyScope scope = KeyScope::kDomain;
  std::int64_t tenant_id = 0;
  std::int64_t domain_id = 0;
};

std::string hash_of_key(std::string_view key);

// "+972 54" and "97254" are one number when matching: a leading + is not part of it.
std::string_view without_plus(std::string_view number);

// Threads: control only.
class Directory {
 public:
  void put(Tenant tenant) { tenants_.insert_or_assign(tenant.id, std::move(tenant)); }
  void put(Domain domain);
  void put(Subscriber subscriber);
  void put(Trunk trunk) { trunks_.insert_or_assign(trunk.id, std::move(trunk)); }
  void put(ApiKey key) { keys_.insert_or_assign(key.sha256, std::move(key)); }

  const Domain* domain(std::int64_t id) const;
  const Domain* find_domain(std::string_view name_alias_or_id) const;
  const Subscriber* subscriber(std::int64_t id) const;
  const Subscriber* find_subscriber(std::int64_t domain_id,
                                    std::string_view number) const;  // MSISDN or alias
  const Trunk* trusted_trunk(const IpAddress& source) const;

  // Trunks of the domain that take `number`: longest prefix first, then by priority.
  std::vector<const Trunk*> trunks_for(std::int64_t domain_id, std::string_view number) const;

  // Nothing for a key that does not exist. In constant time for keys that do and do not.
  const ApiKey* authenticate(std::string_view key) const;
  bool is_authorized(const ApiKey& key, const Domain& domain, bool applications_too) const;

 private:
  std::map<std::int64_t, Tenant> tenants_;
  std::map<std::int64_t, Domain> domains_;
  std::map<std::string, std::int64_t, std::less<>> domains_by_name_;  // aliases too, lowercase
  std::map<std::int64_t, Subscriber> subscribers_;
  std::map<std::pair<std::int64_t, std::string>, std::int64_t> subscribers_by_number_;
  std::map<std::int64_t, Trunk> trunks_;
  std::map<std::string, ApiKey, std::less<>> keys_;  // by hash
};

// Reads a directory file (docs/directory.md); names the entry and field that is wrong.
Result<Directory> parse_directory(std::string_view json_text);

// A subscriber as the API returns it, without secrets.
std::string to_json(const Subscriber& subscriber);

}  // namespace vas::directory
