#include <algorithm>
#include <boost/json.hpp>
#include <stdexcept>

#include "vas/base/text.h"
#include "vas/directory/directory.h"

namespace vas::directory {
namespace {

namespace json = boost::json;

// Thrown inside this file only: parse_directory turns it into an Error.
struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Reads the fields of one entry, naming it in every complaint.
class Entry {
 public:
  Entry(const json::value& value, std::string where) : where_(std::move(where)) {
    if (!value.is_object()) throw Wrong(where_ + " is not an object");
    object_ = &value.as_object();
  }

  const json::value* field(std::string_view name) {
    known_.push_back(name);
    const json::value* value = object_->if_contains(name);
    return value != nullptr && !value->is_null() ? value : nullptr;
  }
  std::string text(std::string_view name, std::string fallback = {}) {
    const json::value* value = field(name);
    if (value == nullptr) return fallback;
    if (!value->is_string()) throw wrong(name, "is not a string");
    if (has_control_characters(std::string_view(value->as_string())))
      throw wrong(name, "has control characters");
    return std::string(value->as_string());
  }
  std::string required_text(std::string_view name) {
    std::string value = text(name);
    if (value.empty()) throw wrong(name, "is missing");
    return value;
  }
  std::int64_t number(std::string_view name, std::optional<std::int64_t> fallback = {}) {
    const json::value* value = field(name);
    if (value == nullptr && fallback) return *fallback;
    if (value == nullptr) throw wrong(name, "is missing");
    if (!value->is_int64()) throw wrong(name, "is not a whole number");
    return value->as_int64();
  }
  bool flag(std::string_view name, bool fallback) {
    const json::value* value = field(name);
    if (value == nullptr) return fallback;
    if (!value->is_bool()) throw wrong(name, "is not true or false");
    return value->as_bool();
  }
  std::vector<std::string> texts(std::string_view name) {
    const json::value* value = field(name);
    if (value == nullptr) return {};
    if (!value->is_array()) throw wrong(name, "is not a list of strings");
    std::vector<std::string> all;
    for (const json::value& each : value->as_array()) {
      if (!each.is_string()) throw wrong(name, "is not a list of strings");
      all.emplace_back(each.as_string());
    }
    return all;
  }
  void refuse_other_fields() const {
    for (const auto& member : *object_) {
      if (std::find(known_.begin(), known_.end(), std::string_view(member.key())) == known_.end()) {
        throw wrong(member.key(), "is not known");
      }
    }
  }
  Wrong wrong(std::string_view name, std::string_view what) const {
    return Wrong(where_ + ": `" + std::string(name) + "` " + std::string(what));
  }

 private:
  const json::object* object_ = nullptr;
  std::string where_;
  std::vector<std::string_view> known_;
};

Duration seconds_of(Entry& entry, std::string_view name, std::int64_t fallback) {
  const std::int64_t value = entry.number(name, fallback);
  if (value < 1 || value > 86400) throw entry.wrong(name, "is not within 1 to 86400 seconds");
  return std::chrono::seconds(value);
}

// Fields that we do not know stay in the profile and mean nothing to us.
DomainProfile parse_profile(const json::value& value, const std::string& where) {
  Entry entry(value, where + ".profile");
  DomainProfile profile{.control_endpoint = entry.text("registration-free-control-endpoint"),
                        .routing_application = entry.text("call-routing-application"),
                        .webhook_secret = entry.text("webhook-secret")};
  profile.call_timeout = seconds_of(entry, "call-timeout", 60);
  profile.session_ttl = seconds_of(entry, "session-ttl", 300);
  return profile;
}

Domain parse_domain(const json::value& value, const std::string& where) {
  Entry entry(value, where);
  Domain domain{.id = entry.number("id"),
                .tenant_id = entry.number("tenantId"),
                .name = entry.required_text("name"),
                .aliases = entry.texts("aliases")};
  if (const json::value* profile = entry.field("profile")) {
    domain.profile = parse_profile(*profile, where);
    domain.profile_json = json::serialize(*profile);
  }
  entry.refuse_other_fields();
  return domain;
}

Subscriber parse_subscriber(const json::value& value, const std::string& where) {
  Entry entry(value, where);
  Subscriber subscriber{.id = entry.number("id"),
                        .domain_id = entry.number("domainId"),
                        .msisdn = std::string(without_plus(entry.required_text("msisdn"))),
                        .aliases = entry.texts("aliases"),
                        .active = entry.flag("active", true)};
  entry.refuse_other_fields();
  return subscriber;
}

Trunk parse_trunk(const json::value& value, const std::string& where) {
  Entry entry(value, where);
  Trunk trunk{.id = entry.number("id"),
              .domain_id = entry.number("domainId"),
              .name = entry.text("name"),
              .targets = entry.texts("targets"),
              .prefixes = entry.texts("prefixes"),
              .priority = static_cast<int>(entry.number("priority", 100)),
              .strip_prefix = entry.text("stripPrefix"),
              .add_prefix = entry.text("addPrefix"),
              .latches_to_anyone = entry.flag("latchesToAnyone", false)};
  for (const std::string& source : entry.texts("sources")) {
    const auto network = Network::parse(source);
    if (!network)
      throw entry.wrong("sources", "has `" + source + "`, which is no address or block such as 192.0.2.0/24");
    trunk.sources.push_back(*network);
  }
  for (const std::string& target : trunk.targets) {
    if (!Endpoint::parse(std::string_view(target).substr(0, target.find(';')), 5060)) {
      throw entry.wrong("targets", "has `" + target + "`, which is no address such as 192.0.2.7:5060");
    }
  }
  entry.refuse_other_fields();
  return trunk;
}

ApiKey parse_key(const json::value& value, const std::string& where) {
  Entry entry(value, where);
  ApiKey key{.id = entry.number("id"), .sha256 = to_lower(entry.text("sha256"))};
  const std::string plain = entry.text("key");
  if (plain.empty() && key.sha256.size() != 64)
    throw entry.wrong("key", "or a `sha256` of 64 hex digits is needed");
  if (!plain.empty()) key.sha256 = hash_of_key(plain);
  const std::string scope = entry.required_text("scope");
  if (scope == "system") {
    key.scope = KeyScope::kSystem;
  } else if (scope == "tenant") {
    key.scope = KeyScope::kTenant;
    key.tenant_id = entry.number("tenantId");
  } else if (scope == "domain" || scope == "application") {
    key.scope = scope == "domain" ? KeyScope::kDomain : KeyScope::kApplication;
    key.domain_id = entry.number("domainId");
  } else {
    throw entry.wrong("scope", "is none of system, tenant, domain, application");
  }
  entry.refuse_other_fields();
  return key;
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

}  // namespace

Result<Directory> parse_directory(std::string_view json_text) {
  boost::system::error_code failure;
  const json::value value = json::parse(json_text, failure);
  if (failure) return Error{"the directory file is not JSON: " + failure.message()};
  if (!value.is_object()) return Error{"the directory file is not a JSON object"};
  try {
    Directory directory;
    const json::object& file = value.as_object();
    for (const auto& member : file) {
      const std::string_view key = member.key();
      if (key != "tenants" && key != "domains" && key != "subscribers" && key != "trunks" &&
          key != "apiKeys") {
        throw Wrong("`" + std::string(key) + "` is none of tenants, domains, subscribers, trunks, apiKeys");
      }
    }
    each_entry(file, "tenants", [&](const json::value& each, const std::string& where) {
      Entry entry(each, where);
      directory.put(Tenant{entry.number("id"), entry.text("name")});
      entry.refuse_other_fields();
    });
    each_entry(file, "domains", [&](const json::value& each, const std::string& where) {
      directory.put(parse_domain(each, where));
    });
    each_entry(file, "subscribers", [&](const json::value& each, const std::string& where) {
      Subscriber subscriber = parse_subscriber(each, where);
      if (directory.domain(subscriber.domain_id) == nullptr)
        throw Wrong(where + ": `domainId` names no domain of this file");
      directory.put(std::move(subscriber));
    });
    each_entry(file, "trunks", [&](const json::value& each, const std::string& where) {
      Trunk trunk = parse_trunk(each, where);
      if (directory.domain(trunk.domain_id) == nullptr)
        throw Wrong(where + ": `domainId` names no domain of this file");
      directory.put(std::move(trunk));
    });
    each_entry(file, "apiKeys", [&](const json::value& each, const std::string& where) {
      directory.put(parse_key(each, where));
    });
    return directory;
  } catch (const Wrong& wrong) {
    return Error{wrong.what()};
  }
}

std::string to_json(const Subscriber& subscriber) {
  return json::serialize(
      json::object{{"id", subscriber.id},
                   {"domainId", subscriber.domain_id},
                   {"msisdn", subscriber.msisdn},
                   {"aliases", json::array(subscriber.aliases.begin(), subscriber.aliases.end())},
                   {"active", subscriber.active}});
}

}  // namespace vas::directory
