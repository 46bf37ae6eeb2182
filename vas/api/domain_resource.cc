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

std::optional<Refused> check(const DirectoryService& service, const Directory& directory,
                             const directory::DomainProfile& stands, KeyScope scope, const Domain& domain) {
  if (auto refused = check_limits(stands, domain.profile, scope)) return refused;
  if (auto refused = check_names(directory, domain)) return refused;
  if (auto refused = check_urls(service, domain)) return refused;
  return check_secrets(stands, domain.profile);
}

void create(ApiCall& call, DirectoryService& service) {
  const auto entry = std::make_shared<Entry>();
  const std::int64_t tenant = *path_id(call, "tenant");
  create_entry<Domain>(
      call, service, tenant, kMaxDomainsOfTenant, entry,
      [&service, scope = call.key->scope](const Directory& directory, const Domain& domain) {
        return check(service, directory, {}, scope, domain);
      },
      reply_with(call.responder, 201, entry, "/tenants/" + std::to_string(tenant) + "/domains/"));
}

auto finder(const ApiCall& call) {
  return [id = call.domain->id](const Directory& directory) { return directory.domain(id); };
}

void patch(ApiCall& call, DirectoryService& service) {
  patch_entry(call, service, finder(call), kNoDomain,
              [&service, scope = call.key->scope](const Directory& directory, const Domain& stands,
                                                  const Domain& wanted) {
                return check(service, directory, stands.profile, scope, wanted);
              });
}

// With a domain go its subscribers, trunks and keys. Never its calls: they must be over.
void remove(ApiCall& call, DirectoryService& service) {
  service.change(
      plan_for(finder(call), kNoDomain,
               [&service](const Domain& domain, const Directory& directory,
                          Change& change) -> std::optional<Refused> {
                 if (service.sessions_of(domain.id) > 0)
                   return Refused{409, "The domain has sessions. Delete them, or wait until they are over."};
                 change = directory.removal_of_domain(domain.id);
                 return {};
               }),
      reply_with(call.responder, 204));
}

}  // namespace

void add_domain_operations(Operations& operations, DirectoryService& service) {
  operations["listDomains"] = [&](ApiCall& call) {
    const std::int64_t tenant = *path_id(call, "tenant");
    reply_page(call, service, Kind::kDomain, tenant, "/tenants/" + std::to_string(tenant) + "/domains");
  };
  operations["createDomain"] = [&](ApiCall& call) { create(call, service); };
  operations["getDomain"] = [&](ApiCall& call) { call.reply(200, to_json(Entry(*call.domain))); };
  operations["updateDomain"] = [&](ApiCall& call) { patch(call, service); };
  operations["deleteDomain"] = [&](ApiCall& call) { remove(call, service); };
}

}  // namespace vas::api
