#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "vas/api/directory_entry.h"
#include "vas/api/resources.h"

namespace vas::api {
namespace {

using directory::ApiKey;
using directory::Change;
using directory::Directory;
using directory::Entry;
using directory::KeyScope;
using directory::Kind;

constexpr std::size_t kKeyBytes = 16;  // 32 hex digits after "XI"
const Refused kNoKey{404, "There is no such key."};

// Whether `owner` may see and change `key`: it stands at or below its own authority.
bool governs(const Directory& directory, const ApiKey& owner, const ApiKey& key) {
  if (owner.scope == KeyScope::kSystem) return true;
  if (key.scope == KeyScope::kSystem) return false;
  const directory::Domain* domain =
      key.scope == KeyScope::kTenant ? nullptr : directory.domain(key.domain_id);
  if (owner.scope == KeyScope::kTenant) {
    return key.scope == KeyScope::kTenant ? key.tenant_id == owner.tenant_id
                                          : domain != nullptr && domain->tenant_id == owner.tenant_id;
  }
  return owner.scope == KeyScope::kDomain && domain != nullptr && key.domain_id == owner.domain_id;
}

// The key that the path names, where the one that asks may see it.
auto finder(const ApiCall& call) {
  return [owner = *call.key, id = path_id(call, "key")](const Directory& directory) {
    const ApiKey* key = id ? directory.key(*id) : nullptr;
    return key != nullptr && governs(directory, owner, *key) ? key : nullptr;
  };
}

std::optional<Refused> check_owner(const Directory& directory, const ApiKey& key) {
  if (key.scope == KeyScope::kTenant && directory.tenant(key.tenant_id) == nullptr)
    return Refused{400, "`tenantId` names no tenant."};
  const bool is_of_domain = key.scope == KeyScope::kDomain || key.scope == KeyScope::kApplication;
  if (is_of_domain && directory.domain(key.domain_id) == nullptr)
    return Refused{400, "`domainId` names no domain."};
  return {};
}

// The one reply that shows the key itself: only its hash is kept.
void create(ApiCall& call, DirectoryService& service) {
  const auto entry = std::make_shared<Entry>();
  const std::string secret = "XI" + random_hex(kKeyBytes);
  service.change(
      [&service, entry, secret, owner = *call.key, fields = call.body](
          const Directory& directory, Change& change) mutable -> std::optional<Refused> {
        fields["id"] = service.next_id(Kind::kApiKey);
        fields["key"] = secret;
        if (auto refused = read_entry(Kind::kApiKey, fields, *entry)) return refused;
        const ApiKey& key = std::get<ApiKey>(*entry);
        if (auto refused = check_owner(directory, key)) {
          // Whether another tenant's domain exists is none of theirs.
          return owner.scope == KeyScope::kSystem ? refused
                                                  : Refused{401, "This key may not make such a key."};
        }
        if (!governs(directory, owner, key)) return Refused{401, "This key may not make such a key."};
        if (owner.scope != KeyScope::kSystem) {
          if (auto refused = check_count(directory, Kind::kApiKey, key.domain_id, kMaxKeysOfDomain))
            return refused;
        }
        change.emplace_back(*entry);
        return {};
      },
      [responder = call.responder, entry, secret](const std::optional<Refused>& refused) {
        if (refused) return responder->send(problem(refused->status, refused->detail));
        boost::json::object body = boost::json::parse(to_json(*entry)).as_object();
        body["key"] = secret;
        HttpReply reply{.status = 201, .body = to_text(body)};
        reply.headers.emplace_back("Location", "/apikeys/" + std::to_string(id_of(*entry)));
        responder->send(std::move(reply));
      });
}

void list(ApiCall& call, DirectoryService& service) {
  const Directory& directory = service.directory();
  const PageRequest request = page_request(call);
  const auto after = parse_number<std::int64_t>(request.after).value_or(0);
  Page page{.json = "["};
  std::size_t count = 0;
  std::int64_t last = 0;
  for (auto each = directory.keys().upper_bound(after); each != directory.keys().end(); ++each) {
    if (!governs(directory, *call.key, each->second)) continue;
    if (count == request.limit) {
      page.next = std::to_string(last);
      break;
    }
    page.json += (count++ == 0 ? "" : ",") + to_json(Entry(each->second));
    last = each->first;
  }
  page.json += "]";
  send_page(call.responder, "/apikeys?", std::move(page));
}

void remove(ApiCall& call, DirectoryService& service) {
  service.change(
      plan_for(
          finder(call), kNoKey,
          [](const ApiKey& key, const Directory& directory, Change& change) -> std::optional<Refused> {
            std::size_t system_keys = 0;
            for (const auto& each : directory.keys())
              system_keys += each.second.scope == KeyScope::kSystem ? 1 : 0;
            if (key.scope == KeyScope::kSystem && system_keys == 1)
              return Refused{409, "This is the last system key: nobody could make another. Make one first."};
            change.emplace_back(directory::Removal{Kind::kApiKey, key.id});
            return {};
          }),
      reply_with(call.responder, 204));
}

}  // namespace

void add_key_operations(Operations& operations, DirectoryService& service) {
  operations["listApiKeys"] = [&](ApiCall& call) { list(call, service); };
  operations["createApiKey"] = [&](ApiCall& call) { create(call, service); };
  operations["getApiKey"] = [&](ApiCall& call) {
    reply_entry(call, finder(call)(service.directory()), kNoKey);
  };
  operations["updateApiKey"] = [&](ApiCall& call) {
    patch_entry(call, service, finder(call), kNoKey,
                [](const Directory&, const ApiKey&, const ApiKey&) { return std::optional<Refused>(); });
  };
  operations["deleteApiKey"] = [&](ApiCall& call) { remove(call, service); };
}

}  // namespace vas::api
