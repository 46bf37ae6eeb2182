#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <set>

#include "base/host_port.h"
#include "base/json.h"
#include "base/match.h"
#include "base/text.h"
#include "vas/directory/directory.h"
#include "vas/directory/fields.h"

namespace vas::directory {
namespace {

namespace json = boost::json;

// A silence longer than SIP's own timers allow never comes to its end: RFC 3261 §17.1.1.2, §16.6.
constexpr std::int64_t kLongestNoAnswer = 32;
constexpr std::int64_t kLongestProgress = 180;

constexpr auto kLists =
    std::apply([](const auto&... each) { return std::array{each.list...}; }, kDescriptions);

// More than any node has of anything: it only keeps sums within 64 bits.
constexpr std::int64_t kHighestCap = 1'000'000'000;

Caps parse_caps(Fields& fields, const Caps& fallback) {
  return {
      .calls = within(fields, "max-calls", fallback.calls, 0, kHighestCap),
      .calls_per_second = within(fields, "max-calls-per-second", fallback.calls_per_second, 1, kHighestCap),
      .sessions = within(fields, "max-sessions", fallback.sessions, 1, kHighestCap),
      .session_bytes = within(fields, "max-session-bytes", fallback.session_bytes, 1, 1'000 * kHighestCap),
      .webhooks = within(fields, "max-webhooks", fallback.webhooks, 1, kHighestCap),
      .polls = within(fields, "max-polls", fallback.polls, 1, kHighestCap)};
}

// Fields that we do not know stay in the profile and mean nothing to us.
DomainProfile parse_profile(const json::value& value, const std::string& where) {
  Fields fields(value, where + "profile");
  DomainProfile profile{.control_endpoint = http_url_of(fields, "registration-free-control-endpoint"),
                        .routing_application = http_url_of(fields, "call-routing-application"),
                        .webhook_secrets = secrets_of(fields, "webhook-secret"),
                        .session_callback = http_url_of(fields, "session-callback")};
  profile.call_timeout = seconds_of(fields, "call-timeout").value_or(profile.call_timeout);
  profile.hold_timeout = seconds_of(fields, "hold-timeout");
  profile.session_ttl = seconds_of(fields, "session-ttl").value_or(profile.session_ttl);
  const std::int64_t rate = fields.number("api-requests-per-second", profile.requests_per_second);
  if (rate < 1 || rate > 1'000'000)
    throw fields.wrong("api-requests-per-second", "is not within 1 to 1000000");
  profile.requests_per_second = static_cast<int>(rate);
  profile.media_encryption = one_of<MediaEncryption>(fields, "media-encryption", kMediaEncryptionNames)
                                 .value_or(profile.media_encryption);
  profile.caps = parse_caps(fields, profile.caps);
  profile.symmetric = fields.flag("symmetric", profile.symmetric);
  profile.route_timeouts.no_answer =
      seconds_of(fields, "no-answer-timeout", kLongestNoAnswer).value_or(profile.route_timeouts.no_answer);
  profile.route_timeouts.progress =
      seconds_of(fields, "progress-timeout", kLongestProgress).value_or(profile.route_timeouts.progress);
  profile.misspelt = fields.misspelt();
  return profile;
}

// A name that is all digits would be taken for an id.
void check_domain_name(const Fields& fields, std::string_view field, const std::string& name) {
  const auto is_allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_';
  };
  const bool is_number = name.find_first_not_of("0123456789") == std::string::npos;
  if (name.size() > 253 || is_number || !std::all_of(name.begin(), name.end(), is_allowed))
    throw fields.wrong(field, "has `" + name + "`, which is no domain name such as voice.example.com");
}

// One for each kind of entry.
template <typename T>
T parse(const json::value& value, const std::string& where) = delete;

template <>
Tenant parse(const json::value& value, const std::string& where) {
  Fields fields(value, where);
  Tenant tenant{.id = fields.number("id"), .name = fields.text("name")};
  if (const json::value* limits = fields.field("limits")) {
    Fields caps(*limits, where.empty() ? "limits" : where + ".limits");
    tenant.caps = parse_caps(caps, tenant.caps);
    caps.refuse_other_fields();
    tenant.limits_json = json::serialize(*limits);
  }
  fields.refuse_other_fields();
  return tenant;
}

template <>
Domain parse(const json::value& value, const std::string& where) {
  Fields fields(value, where);
  Domain domain{.id = fields.number("id"),
                .tenant_id = fields.number("tenantId"),
                .name = fields.required_text("name"),
                .aliases = fields.texts("aliases")};
  check_domain_name(fields, "name", domain.name);
  for (const std::string& alias : domain.aliases) check_domain_name(fields, "aliases", alias);
  if (const json::value* profile = fields.field("profile")) {
    domain.profile = parse_profile(*profile, where.empty() ? "" : where + ".");
    domain.profile_json = to_text(*profile);
  }
  fields.refuse_other_fields();
  return domain;
}

template <>
Subscriber parse(const json::value& value, const std::string& where) {
  Fields fields(value, where);
  Subscriber subscriber{.id = fields.number("id"),
                        .domain_id = fields.number("domainId"),
                        .msisdn = std::string(without_plus(fields.required_text("msisdn"))),
                        .aliases = fields.texts("aliases"),
                        .active = fields.flag("active", true)};
  const bool is_number = subscriber.msisdn.find_first_not_of("0123456789") == std::string::npos;
  if (!is_number || subscriber.msisdn.empty() || subscriber.msisdn.size() > 15)
    throw fields.wrong("msisdn", "is no E.164 number: up to 15 digits");
  for (const std::string& alias : subscriber.aliases) {
    if (alias.empty() || alias.size() > 64)
      throw fields.wrong("aliases", "has one that is empty or over 64 bytes");
  }
  fields.refuse_other_fields();
  return subscriber;
}

template <>
Trunk parse(const json::value& value, const std::string& where) {
  json::value respelt = value;
  if (respelt.is_object()) respell(respelt.as_object(), kOtherSpellings);
  Fields fields(respelt, where);
  Trunk trunk{
      .id = fields.number("id"),
      .domain_id = fields.number("domainId"),
      .name = fields.text("name"),
      .targets = fields.texts("targets"),
      .prefixes = fields.texts("prefixes"),
      .priority = static_cast<int>(std::clamp<std::int64_t>(fields.number("priority", 100), 0, 65535)),
      .strip_prefix = fields.text("stripPrefix"),
      .add_prefix = fields.text("addPrefix"),
      .media_encryption = one_of<MediaEncryption>(fields, "mediaEncryption", kMediaEncryptionNames)
                              .value_or(MediaEncryption::kNone),
      .media_keying =
          one_of<MediaKeying>(fields, "mediaKeying", kMediaKeyingNames).value_or(MediaKeying::kSdes),
      .ice = one_of<IceMode>(fields, "ice", kIceModeNames),
      .reaches_private = fields.flag("reachesPrivate", false),
      .trusted = fields.flag("trusted", true),
      .latches_to_anyone = fields.flag("latchesToAnyone", false),
      .symmetric = fields.flag("symmetric", true),
      .identity = one_of<IdentityRule>(fields, "identity", kIdentityRuleNames),
      .username = fields.text("username"),
      .password = fields.text("password"),
      .realm = fields.text("realm"),
      .max_calls = within(fields, "maxCalls", 0, 0, kHighestCap),
      .max_calls_per_second = within(fields, "maxCallsPerSecond", kMaxCallsPerSecondOfTrunk, 1, kHighestCap),
      .no_answer_timeout = seconds_of(fields, "noAnswerTimeout", kLongestNoAnswer),
      .progress_timeout = seconds_of(fields, "progressTimeout", kLongestProgress)};
  for (const std::string& source : fields.texts("sources")) {
    const auto network = Network::parse(source);
    if (!network)
      throw fields.wrong("sources",
                         "has `" + source + "`, which is no address or block such as 192.0.2.0/24");
    trunk.sources.push_back(*network);
  }
  for (const std::string& target : trunk.targets) {
    const std::string transport(parameter(target, "transport").value_or("udp"));
    if (!HostPort::parse(std::string_view(target).substr(0, target.find(';'))))
      throw fields.wrong("targets", "has `" + target + "`, which is no server such as 192.0.2.7:5060");
    if (transport != "udp" && transport != "tcp" && transport != "tls")
      throw fields.wrong("targets", "has `" + target + "`, whose transport is none of udp, tcp, tls");
  }
  fields.refuse_other_fields();
  return trunk;
}

template <>
ApiKey parse(const json::value& value, const std::string& where) {
  Fields fields(value, where);
  ApiKey key{
      .id = fields.number("id"), .name = fields.text("name"), .sha256 = to_lower(fields.text("sha256"))};
  const std::string plain = fields.text("key");
  if (plain.empty() && key.sha256.size() != 64)
    throw fields.wrong("key", "or a `sha256` of 64 hex digits is needed");
  if (!plain.empty()) key.sha256 = hash_of_key(plain);
  const std::string scope = fields.required_text("scope");
  if (scope == "system") {
    key.scope = KeyScope::kSystem;
  } else if (scope == "tenant") {
    key.scope = KeyScope::kTenant;
    key.tenant_id = fields.number("tenantId");
  } else if (scope == "domain" || scope == "application") {
    key.scope = scope == "domain" ? KeyScope::kDomain : KeyScope::kApplication;
    key.domain_id = fields.number("domainId");
  } else {
    throw fields.wrong("scope", "is none of system, tenant, domain, application");
  }
  fields.refuse_other_fields();
  return key;
}

Entry parse_one(Kind kind, const json::value& value, const std::string& where) {
  return with_kind(kind, [&]<typename T>(const Description<T>&) -> Entry { return parse<T>(value, where); });
}

template <typename Parse>
void each_entry(const json::object& file, std::string_view list, Parse&& parse) {
  const json::value* value = file.if_contains(list);
  if (value == nullptr) return;
  if (!value->is_array()) throw Wrong("`" + std::string(list) + "` is not a list");
  std::size_t number = 0;
  for (const json::value& each : value->as_array())
    parse(each, std::string(list) + "[" + std::to_string(number++) + "]");
}

json::array array_of(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

json::value parsed(const std::string& text) {
  boost::system::error_code failure;
  json::value value = json::parse(text, failure);
  return failure ? json::value(json::object{}) : value;
}

json::value seconds_or_null(const std::optional<Duration>& duration) {
  if (!duration) return nullptr;
  return std::chrono::duration_cast<std::chrono::seconds>(*duration).count();
}

json::object object_of(const Tenant& tenant) {
  return {{"id", tenant.id}, {"name", tenant.name}, {"limits", parsed(tenant.limits_json)}};
}

json::object object_of(const Domain& domain) {
  return {{"id", domain.id},
          {"tenantId", domain.tenant_id},
          {"name", domain.name},
          {"aliases", array_of(domain.aliases)},
          {"profile", parsed(domain.profile_json)}};
}

json::object object_of(const Subscriber& subscriber) {
  return {{"id", subscriber.id},
          {"domainId", subscriber.domain_id},
          {"msisdn", subscriber.msisdn},
          {"aliases", array_of(subscriber.aliases)},
          {"active", subscriber.active}};
}

json::object object_of(const Trunk& trunk) {
  json::array sources;
  for (const Network& each : trunk.sources) sources.emplace_back(to_string(each));
  return {{"id", trunk.id},
          {"domainId", trunk.domain_id},
          {"name", trunk.name},
          {"sources", std::move(sources)},
          {"targets", array_of(trunk.targets)},
          {"prefixes", array_of(trunk.prefixes)},
          {"priority", trunk.priority},
          {"stripPrefix", trunk.strip_prefix},
          {"addPrefix", trunk.add_prefix},
          {"mediaEncryption", to_string(trunk.media_encryption)},
          {"mediaKeying", to_string(trunk.media_keying)},
          {"ice", trunk.ice ? to_string(*trunk.ice) : ""},
          {"reachesPrivate", trunk.reaches_private},
          {"trusted", trunk.trusted},
          {"latchesToAnyone", trunk.latches_to_anyone},
          {"symmetric", trunk.symmetric},
          {"identity", trunk.identity ? to_string(*trunk.identity) : ""},
          {"username", trunk.username},
          {"realm", trunk.realm},
          {"maxCalls", trunk.max_calls},
          {"maxCallsPerSecond", trunk.max_calls_per_second},
          {"noAnswerTimeout", seconds_or_null(trunk.no_answer_timeout)},
          {"progressTimeout", seconds_or_null(trunk.progress_timeout)}};
}

json::object object_of(const ApiKey& key) {
  json::object object{{"id", key.id}, {"name", key.name}, {"scope", to_string(key.scope)}};
  if (key.scope == KeyScope::kTenant) object["tenantId"] = key.tenant_id;
  if (key.scope == KeyScope::kDomain || key.scope == KeyScope::kApplication)
    object["domainId"] = key.domain_id;
  return object;
}

}  // namespace

bool names_private_target(const Trunk& trunk) {
  return std::any_of(trunk.targets.begin(), trunk.targets.end(), [](const std::string& target) {
    const auto server = HostPort::parse(std::string_view(target).substr(0, target.find(';')));
    const auto address = server ? IpAddress::parse(server->host) : std::nullopt;
    return address && address->is_private();
  });
}

std::string_view to_string(KeyScope scope) {
  switch (scope) {
    case KeyScope::kSystem: return "system";
    case KeyScope::kTenant: return "tenant";
    case KeyScope::kDomain: return "domain";
    case KeyScope::kApplication: return "application";
  }
  return "?";
}

Result<Change> parse_directory(std::string_view json_text) {
  boost::system::error_code failure;
  const json::value value = json::parse(json_text, failure);
  if (failure) return Error{"the directory file is not JSON: " + failure.message()};
  if (!value.is_object()) return Error{"the directory file is not a JSON object"};
  try {
    Change change;
    std::set<std::int64_t> domains;
    const json::object& file = value.as_object();
    for (const auto& member : file) {
      if (std::find(kLists.begin(), kLists.end(), std::string_view(member.key())) == kLists.end())
        throw Wrong(
            fmt::format("`{}` is none of {}", std::string_view(member.key()), fmt::join(kLists, ", ")));
    }
    for (const Kind kind : kKinds) {
      const auto [list, is_of_domain] = with_kind(kind, [](const auto& description) {
        return std::pair(description.list, description.is_listed_under(Kind::kDomain));
      });
      each_entry(file, list,
                 [&, is_of_domain = is_of_domain](const json::value& each, const std::string& where) {
                   Entry entry = parse_one(kind, each, where);
                   if (kind == Kind::kDomain) domains.insert(id_of(entry));
                   // The file is the system's word: what it names may be in a private range.
                   if (auto* trunk = std::get_if<Trunk>(&entry);
                       trunk && !each.as_object().contains("reachesPrivate"))
                     trunk->reaches_private = names_private_target(*trunk);
                   if (is_of_domain && !domains.contains(parent_of(entry)))
                     throw Wrong(where + ": `domainId` names no domain of this file");
                   change.emplace_back(std::move(entry));
                 });
    }
    return change;
  } catch (const Wrong& wrong) {
    return Error{wrong.what()};
  }
}

Result<Entry> parse_entry(Kind kind, std::string_view json_text) {
  boost::system::error_code failure;
  const json::value value = json::parse(json_text, failure);
  if (failure) return Error{"it is not JSON: " + failure.message()};
  try {
    return parse_one(kind, value, "");
  } catch (const Wrong& wrong) {
    return Error{wrong.what()};
  }
}

// Secrets are taken and never told again.
std::string to_json(const Entry& entry) {
  json::object object = std::visit([](const auto& each) { return object_of(each); }, entry);
  if (std::holds_alternative<Domain>(entry)) object["profile"].as_object().erase("webhook-secret");
  return to_text(object);
}

std::string to_store_json(const Entry& entry) {
  json::object object = std::visit([](const auto& each) { return object_of(each); }, entry);
  match(
      entry, [&](const ApiKey& key) { object["sha256"] = key.sha256; },
      [&](const Trunk& trunk) { object["password"] = trunk.password; }, ignoring<Tenant, Domain, Subscriber>);
  return to_text(object);
}

}  // namespace vas::directory
