#include "vas/api/directory_entry.h"
#include "vas/api/resources.h"

namespace vas::api {
namespace {

using directory::Change;
using directory::Directory;
using directory::Entry;
using directory::KeyScope;
using directory::Kind;
using directory::Tenant;

void list(ApiCall& call, DirectoryService& service) {
  if (call.key->scope == KeyScope::kTenant) {
    const Tenant* own = service.directory().tenant(call.key->tenant_id);
    return call.reply(200, own != nullptr ? "[" + to_json(Entry(*own)) + "]" : "[]");
  }
  reply_page(call, service, Kind::kTenant, 0, "/tenants");
}

void create(ApiCall& call, DirectoryService& service) {
  const auto entry = std::make_shared<Entry>();
  service.change(
      [&service, entry, fields = call.body](const Directory&,
                                            Change& change) mutable -> std::optional<Refused> {
        fields["id"] = service.next_id(Kind::kTenant);
        if (auto refused = read_entry(Kind::kTenant, fields, *entry)) return refused;
        change.emplace_back(*entry);
        return {};
      },
      reply_with(call.responder, 201, entry, "/tenants/"));
}

auto finder(const ApiCall& call) {
  return [id = *path_id(call, "tenant")](const Directory& directory) { return directory.tenant(id); };
}

void patch(ApiCall& call, DirectoryService& service) {
  patch_entry(call, service, finder(call), kNoTenant,
              [scope = call.key->scope](const Directory&, const Tenant& stands, const Tenant& wanted) {
                return check_caps(stands.caps, wanted.caps, scope);
              });
}

// With a tenant go its keys; its domains must be removed first.
void remove(ApiCall& call, DirectoryService& service) {
  service.change(
      plan_for(
          finder(call), kNoTenant,
          [](const Tenant& tenant, const Directory& directory, Change& change) -> std::optional<Refused> {
            if (directory.has_domains(tenant.id))
              return Refused{409, "The tenant has domains. Delete them first."};
            for (const auto& [key_id, key] : directory.keys()) {
              const bool is_its = key.scope == KeyScope::kTenant && key.tenant_id == tenant.id;
              if (is_its) change.emplace_back(directory::Removal{Kind::kApiKey, key_id});
            }
            change.emplace_back(directory::Removal{Kind::kTenant, tenant.id});
            return {};
          }),
      reply_with(call.responder, 204));
}

}  // namespace

void add_tenant_operations(Operations& operations, DirectoryService& service) {
  operations["listTenants"] = [&](ApiCall& call) { list(call, service); };
  operations["createTenant"] = [&](ApiCall& call) { create(call, service); };
  operations["getTenant"] = [&](ApiCall& call) {
    call.reply(200, to_json(Entry(*service.directory().tenant(*path_id(call, "tenant")))));
  };
  operations["updateTenant"] = [&](ApiCall& call) { patch(call, service); };
  operations["deleteTenant"] = [&](ApiCall& call) { remove(call, service); };
}

}  // namespace vas::api
