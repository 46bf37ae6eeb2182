#include <algorithm>

#include "vas/api/directory_entry.h"
#include "vas/api/resources.h"
#include "vas/webhooks/signature.h"

namespace vas::api {
namespace {

using directory::Change;
using directory::Directory;
using directory::Domain;
using directory::Entry;
using directory::KeyScope;
using directory::Kind;

// Names are unique on the whole platform: a token's INVITE names its domain by one.
std::optional<Refused> check_names(const Directory& directory, const Domain& domain) {
  std::vector<std::string> names = domain.aliases;
  names.push_back(domain.name);
  for (const std::string& name : names) {
    const Domain* holder = directory.find_domain(name);
    if (holder != nullptr && holder->id != domain.id)
      return Refused{409, "The name `" + name + "` belongs to a domain already."};
  }
  return {};
}

std::optional<Refused> check_urls(const DirectoryService& service, const Domain& domain) {
  const std::pair<const char*, const std::string&> urls[] = {
      {"registration-free-control-endpoint", domain.profile.control_endpoint},
      {"call-routing-application", domain.profile.routing_application},
      {"session-callback", domain.profile.session_callback}};
  for (const auto& [field, url] : urls) {
    if (url.empty()) continue;
    if (const auto fault = service.fault_of_url(url))
      return Refused{400, "`profile." + std::string(field) + "` " + *fault + "."};
  }
  return {};
}

// Secrets that stand already are not looked at: receivers have come to terms with them.
std::optional<Refused> check_secrets(const directory::DomainProfile& stands,
                                     const directory::DomainProfile& wanted) {
  for (const std::string& secret : wanted.webhook_secrets) {
    const auto& old = stands.webhook_secrets;
    if (std::find(old.begin(), old.end(), secret) != old.end()) continue;
    if (const auto fault = webhooks::fault_of_secret(secret))
      return Refused{400, "`profile.webhook-secret` " + *fault + "."};
  }
  return {};
}

// `stands`: the profile as it is; of a new domain, as it would be without a word.
std::optional<Refused> check_limits(const directory::DomainProfile& stands,
                                    const directory::DomainProfile& wanted, KeyScope scope) {
  if (auto refused = check_caps(stands.caps, wanted.caps, scope)) return refused;
  const bool is_raised = wanted.requests_per_second > stands.requests_per_second;
  if (!is_raised || scope == KeyScope::kSystem) return {};
  return Refused{401, "`api-requests-per-second` would be above what stands: that takes a system key."};
}

std::optional<Refused> plan(DirectoryService& service, const boost::json::object& fields,
                            const Directory& directory, const directory::DomainProfile& stands,
                            KeyScope scope, Entry& entry, Change& change) {
  if (auto refused = read_entry(Kind::kDomain, fields, entry)) return refused;
  const Domain& domain = std::get<Domain>(entry);
  if (auto refused = check_limits(stands, domain.profile, scope)) return refused;
  if (auto refused = check_names(directory, domain)) return refused;
  if (auto refused = check_urls(service, domain)) return refused;
  if (auto refused = check_secrets(stands, domain.profile)) return refused;
  change.emplace_back(entry);
  return {};
}

void create(ApiCall& call, DirectoryService& service) {
  const auto entry = std::make_shared<Entry>();
  const std::int64_t tenant = *path_id(call, "tenant");
  service.change(
      [&service, entry, tenant, scope = call.key->scope, fields = call.body](
          const Directory& directory, Change& change) mutable -> std::optional<Refused> {
        if (directory.tenant(tenant) == nullptr) return Refused{404, "There is no such tenant."};
        if (scope != KeyScope::kSystem) {
          if (auto refused = check_count(directory, Kind::kDomain, tenant, kMaxDomainsOfTenant))
            return refused;
        }
        fields["id"] = service.next_id(Kind::kDomain);
        fields["tenantId"] = tenant;
        return plan(service, fields, directory, {}, scope, *entry, change);
      },
      reply_with(call.responder, 201, entry, "/tenants/" + std::to_string(tenant) + "/domains/"));
}

void patch(ApiCall& call, DirectoryService& service) {
  const auto entry = std::make_shared<Entry>();
  service.change(
      [&service, entry, id = call.domain->id, scope = call.key->scope, fields = call.body](
          const Directory& directory, Change& change) -> std::optional<Refused> {
        const Domain* domain = directory.domain(id);
        if (domain == nullptr) return Refused{404, "There is no such domain."};
        boost::json::object object = stored_object(*domain);
        merge(object, fields);
        return plan(service, object, directory, domain->profile, scope, *entry, change);
      },
      reply_with(call.responder, 200, entry));
}

// With a domain go its subscribers, trunks and keys. Never its calls: they must be over.
void remove(ApiCall& call, DirectoryService& service) {
  service.change(
      [&service, id = call.domain->id](const Directory& directory, Change& change) -> std::optional<Refused> {
        if (directory.domain(id) == nullptr) return Refused{404, "There is no such domain."};
        if (service.sessions_of(id) > 0)
          return Refused{409, "The domain has sessions. Delete them, or wait until they are over."};
        change = directory.removal_of_domain(id);
        return {};
      },
      reply_with(call.responder, 204));
}

}  // namespace

void add_domain_operations(Operations& operations, DirectoryService& service) {
  operations["listDomains"] = [&](ApiCall& call) {
    const std::int64_t tenant = *path_id(call, "tenant");
    service.list(Kind::kDomain, tenant, page_request(call),
                 [responder = call.responder, tenant](std::optional<Page> page) {
                   send_page(responder, "/tenants/" + std::to_string(tenant) + "/domains?", std::move(page));
                 });
  };
  operations["createDomain"] = [&](ApiCall& call) { create(call, service); };
  operations["getDomain"] = [&](ApiCall& call) { call.reply(200, to_json(Entry(*call.domain))); };
  operations["updateDomain"] = [&](ApiCall& call) { patch(call, service); };
  operations["deleteDomain"] = [&](ApiCall& call) { remove(call, service); };
}

}  // namespace vas::api
