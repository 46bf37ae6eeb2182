// Who may call whom: tenants, domains, subscribers, trunks and API keys, read from memory.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "base/endpoint.h"
#include "base/result.h"
#include "base/thread_check.h"
#include "base/time.h"
#include "signaling/sdp/media_policy.h"
#include "vas/directory/caps.h"
#include "vas/directory/misspelling.h"

namespace vas::directory {

struct Tenant {
  std::int64_t id = 0;
  std::string name;
  std::string limits_json = "{}";  // as given
  Caps caps = caps_of_tenants();
};

// How long a server that we call may be silent before the next route is tried.
struct RouteTimeouts {
  Duration no_answer = std::chrono::seconds(4);  // no answer to the INVITE at all
  Duration progress = std::chrono::seconds(10);  // 100, and then nothing: international calls take 5 to 12 s
};

// What the profile says, checked and with defaults; the profile itself is kept as it was given.
struct DomainProfile {
  std::string control_endpoint;                      // registration-free-control-endpoint
  std::string routing_application;                   // call-routing-application
  std::vector<std::string> webhook_secrets;          // webhook-secret, one or several
  std::string session_callback;                      // session-callback
  Duration call_timeout = std::chrono::seconds(60);  // call-timeout
  std::optional<Duration> hold_timeout;              // hold-timeout; none: the node's
  Duration session_ttl = std::chrono::seconds(300);  // session-ttl
  int requests_per_second = 1000;                    // api-requests-per-second; twice as many at once
  MediaEncryption media_encryption = MediaEncryption::kOptional;  // media-encryption, of subscribers
  Caps caps;
  bool symmetric = true;              // of subscribers' media, as a trunk's
  RouteTimeouts route_timeouts;       // no-answer-timeout, progress-timeout
  std::vector<Misspelling> misspelt;  // fields without a meaning whose names look like one that has one
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

// How far a trunk's network is trusted with who calls, as another trusted one says it (RFC 3325).
enum class IdentityRule : std::uint8_t {
  kNone,     // it is not told
  kPublic,   // it is told what the caller does not keep to himself
  kTrusted,  // it is told all, and what the caller asks for: it is to act on that
};
inline constexpr std::array<std::string_view, 3> kIdentityRuleNames{"none", "public", "trusted"};
inline std::string_view to_string(IdentityRule rule) {
  return kIdentityRuleNames[static_cast<std::size_t>(rule)];
}

struct Trunk {
  std::int64_t id = 0;
  std::int64_t domain_id = 0;
  std::string name;
  std::vector<Network> sources;       // INVITEs from here are trusted
  std::vector<std::string> targets;   // "192.0.2.7:5060", "carrier.example;transport=tls", tried in order
  std::vector<std::string> prefixes;  // numbers that it takes; an empty one takes all
  int priority = 100;                 // lower first, among equally long prefixes
  std::string strip_prefix;           // taken off the number that goes out
  std::string add_prefix;             // then put on
  MediaEncryption media_encryption = MediaEncryption::kNone;
  MediaKeying media_keying = MediaKeying::kSdes;
  std::optional<IceMode> ice;  // none: as its listener, and not offered by us
  bool reaches_private =
      false;            // its targets and its media may be in private ranges: only the system says so
  bool trusted = true;  // false: its sources are nobody the system knows, and have budgets like anybody
  bool latches_to_anyone = false;        // its media may come from an address that SIP does not show
  bool symmetric = true;                 // false: it sends media from other ports than it receives at
  std::optional<IdentityRule> identity;  // none: kTrusted where it is trusted, else kNone
  std::string username;                  // what its challenges are answered with; empty: not at all
  std::string password;
  std::string realm;           // the only one that is answered; empty: any of this trunk's
  std::int64_t max_calls = 0;  // both ways; 0: no cap of its own
  std::int64_t max_calls_per_second = kMaxCallsPerSecondOfTrunk;
  std::optional<Duration> no_answer_timeout;  // none: the domain's
  std::optional<Duration> progress_timeout;
};

// Fields of a trunk that may be spelled as the domain's are; kept and returned as the second.
inline constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kOtherSpellings{
    {{"no-answer-timeout", "noAnswerTimeout"}, {"progress-timeout", "progressTimeout"}}};

enum class KeyScope { kSystem, kTenant, kDomain, kApplication };
std::string_view to_string(KeyScope scope);

struct ApiKey {
  std::int64_t id = 0;
  std::string name;    // what it is for, in its owner's words
  std::string sha256;  // of the key, hex: keys are not stored
  KeyScope scope = KeyScope::kDomain;
  std::int64_t tenant_id = 0;
  std::int64_t domain_id = 0;
};

using Entry = std::variant<Tenant, Domain, Subscriber, Trunk, ApiKey>;
enum class Kind { kTenant, kDomain, kSubscriber, kTrunk, kApiKey };

// What is to be known of the entries of one kind, T.
template <typename T>
struct Description {
  Kind kind;
  std::string_view name;                // as the store names it
  std::string_view list;                // of such entries, in a directory file
  std::optional<Kind> owner = {};       // of what they go with when it is removed
  std::int64_t T::*owner_id = nullptr;  // 0 in an entry that has none
  bool is_listed_under_owner = true;

  std::int64_t owner_of(const T& entry) const { return owner ? entry.*owner_id : 0; }
  bool is_listed_under(Kind other) const { return is_listed_under_owner && owner == other; }
};

// Every kind, after the one that its entries are listed under. A new one has its line here and its case in
// with_kind; the compiler asks for whatever else it needs.
inline constexpr std::tuple kDescriptions{
    Description<Tenant>{Kind::kTenant, "tenant", "tenants"},
    Description<Domain>{Kind::kDomain, "domain", "domains", Kind::kTenant, &Domain::tenant_id},
    Description<Subscriber>{Kind::kSubscriber, "subscriber", "subscribers", Kind::kDomain,
                            &Subscriber::domain_id},
    Description<Trunk>{Kind::kTrunk, "trunk", "trunks", Kind::kDomain, &Trunk::domain_id},
    // A tenant's keys have no domain: they go with the tenant (vas/api/tenant_resource.cc).
    Description<ApiKey>{Kind::kApiKey, "apikey", "apiKeys", Kind::kDomain, &ApiKey::domain_id,
                        /*is_listed_under_owner=*/false}};
static_assert(std::tuple_size_v<decltype(kDescriptions)> == std::variant_size_v<Entry>);

template <typename T>
constexpr const Description<T>& description_of() {
  return std::get<Description<T>>(kDescriptions);
}

// Calls `use` with the description of `kind`, and returns what it returns.
template <typename Use>
decltype(auto) with_kind(Kind kind, Use use) {
  switch (kind) {
    case Kind::kTenant: return use(description_of<Tenant>());
    case Kind::kDomain: return use(description_of<Domain>());
    case Kind::kSubscriber: return use(description_of<Subscriber>());
    case Kind::kTrunk: return use(description_of<Trunk>());
    case Kind::kApiKey: return use(description_of<ApiKey>());
  }
  std::abort();
}

inline constexpr std::array kKinds =
    std::apply([](const auto&... each) { return std::array{each.kind...}; }, kDescriptions);
std::string_view to_string(Kind kind);
std::optional<Kind> kind_named(std::string_view name);
std::optional<Kind> owner_of(Kind kind);

struct Removal {
  Kind kind = Kind::kTenant;
  std::int64_t id = 0;
};
// Entries to put (in place of the one with their id) and to remove: all of them, or none.
using Change = std::vector<std::variant<Entry, Removal>>;

Kind kind_of(const Entry& entry);
std::int64_t id_of(const Entry& entry);
// Whether a target is an address in a private range.
bool names_private_target(const Trunk& trunk);
// The entry that this one is listed under: a domain's tenant, a subscriber's domain; 0 for none.
std::int64_t parent_of(const Entry& entry);

std::string hash_of_key(std::string_view key);

// "+97254" and "97254" are one number when matching: a leading + is not part of it.
std::string_view without_plus(std::string_view number);

// Keeps all tenants, domains, subscribers, trunks and keys in memory, and the indexes that calls and requests
// look them up by. It decides whose a number, a name, an address or a key is, and what a key reaches. It need
// not know where entries come from, nor who may change them: it is told of a change that is on disk.
//
// Threads: control only.
class Directory {
 public:
  void apply(const Change& change);
  void put(Entry entry);
  void remove(Kind kind, std::int64_t id);

  const Tenant* tenant(std::int64_t id) const;
  const Domain* domain(std::int64_t id) const;
  const Domain* find_domain(std::string_view name_alias_or_id) const;
  const Subscriber* subscriber(std::int64_t id) const;
  const Subscriber* find_subscriber(std::int64_t domain_id,
                                    std::string_view number) const;  // MSISDN or alias
  const Trunk* trunk(std::int64_t id) const;
  const ApiKey* key(std::int64_t id) const;

  // Trunks that `source` may call in by. A carrier may serve several domains from one address.
  std::vector<const Trunk*> trusted_trunks(const IpAddress& source) const;
  // Trunks of the domain that take `number`: longest prefix first, then by priority.
  std::vector<const Trunk*> trunks_for(std::int64_t domain_id, std::string_view number) const;

  bool has_domains(std::int64_t tenant_id) const;
  std::size_t count_of(Kind kind, std::int64_t owner) const;  // entries of one tenant or domain
  std::vector<std::int64_t> domains_of(std::int64_t tenant_id) const;
  const Caps* caps_of_tenant(std::int64_t tenant_id) const {
    const Tenant* found = tenant(tenant_id);
    return found != nullptr ? &found->caps : nullptr;
  }
  bool has_one_domain() const { return all<Domain>().size() <= 1; }
  bool has_one_tenant() const { return all<Tenant>().size() <= 1; }
  const std::map<std::int64_t, Trunk>& trunks() const { return all<Trunk>(); }
  const std::map<std::int64_t, ApiKey>& keys() const { return all<ApiKey>(); }
  // The domain, and before it what goes with it: entries of each kind whose owner is a domain.
  Change removal_of_domain(std::int64_t domain_id) const;
  std::int64_t highest_id(Kind kind) const;

  // Nothing for a key that does not exist. In constant time for keys that do and do not.
  const ApiKey* authenticate(std::string_view key) const;
  bool is_authorized(const ApiKey& key, const Domain& domain, bool applications_too) const;

 private:
  template <typename T>
  using ById = std::map<std::int64_t, T>;

  template <typename T>
  const ById<T>& all() const {
    return std::get<ById<T>>(entries_);
  }
  template <typename T>
  const T* find(std::int64_t id) const;

  // The indexes, when an entry comes and when it goes.
  void add_to_index(const Tenant&) {}
  void add_to_index(const Domain& domain);
  void add_to_index(const Subscriber& subscriber);
  void add_to_index(const Trunk&) {}
  void add_to_index(const ApiKey& key);
  void take_from_index(const Tenant&) {}
  void take_from_index(const Domain& domain);
  void take_from_index(const Subscriber& subscriber);
  void take_from_index(const Trunk&) {}
  void take_from_index(const ApiKey& key);

  std::tuple<ById<Tenant>, ById<Domain>, ById<Subscriber>, ById<Trunk>, ById<ApiKey>> entries_;
  std::map<std::string, std::int64_t, std::less<>> domains_by_name_;  // aliases too, lowercase
  std::map<std::pair<std::int64_t, std::string>, std::int64_t> subscribers_by_number_;
  std::map<std::string, std::int64_t, std::less<>> keys_by_hash_;
  ThreadCheck thread_check_{"Directory"};
};

// Reads a directory file (docs/directory.md); names the entry and field that is wrong.
Result<Change> parse_directory(std::string_view json_text);

// One entry as the store keeps it, and back. The error names the field.
std::string to_store_json(const Entry& entry);
Result<Entry> parse_entry(Kind kind, std::string_view json_text);

// As the API returns it, without secrets.
std::string to_json(const Entry& entry);

}  // namespace vas::directory
