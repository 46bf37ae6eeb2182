#include "vas/api/directory_entry.h"

#include <fmt/format.h>

#include "base/json.h"
#include "base/text.h"

namespace vas::api {

namespace json = boost::json;

namespace {

void merge(json::object& entry, const json::object& fields) {
  for (const auto& [key, value] : fields) {
    if (value.is_null()) {
      entry.erase(key);
    } else if (value.is_object()) {
      json::value& into = entry[key];
      if (!into.is_object()) into.emplace_object();
      merge(into.as_object(), value.as_object());
    } else {
      entry[key] = value;
    }
  }
}

}  // namespace

std::optional<Refused> read_entry(directory::Kind kind, const json::object& fields, directory::Entry& entry) {
  auto parsed = directory::parse_entry(kind, to_text(fields));
  if (!parsed) return Refused{400, parsed.error() + "."};
  entry = std::move(*parsed);
  return {};
}

std::optional<Refused> check_count(const directory::Directory& directory, directory::Kind kind,
                                   std::int64_t parent, std::size_t most) {
  if (directory.count_of(kind, parent) < most) return {};
  return Refused{409,
                 fmt::format("There are {} entries of this kind already, as many as one {} may have. Delete "
                             "some; a system key may add more.",
                             most, to_string(owner_of(kind).value()))};
}

std::optional<Refused> check_caps(const directory::Caps& stands, const directory::Caps& wanted,
                                  directory::KeyScope scope) {
  const char* raised = scope == directory::KeyScope::kSystem ? nullptr : raised_cap(stands, wanted);
  if (raised == nullptr) return {};
  return Refused{401, "`" + std::string(raised) + "` would be above what stands: that takes a system key."};
}

json::object patched(const directory::Entry& entry, const json::object& fields) {
  json::object object = json::parse(to_store_json(entry)).as_object();
  merge(object, fields);
  return object;
}

std::optional<Refused> begin_entry(const NewEntry& wanted, directory::KeyScope scope,
                                   DirectoryService& service, const directory::Directory& directory,
                                   json::object& fields) {
  const bool is_of_tenant = owner_of(wanted.kind) == directory::Kind::kTenant;
  const bool has_owner =
      is_of_tenant ? directory.tenant(wanted.owner) != nullptr : directory.domain(wanted.owner) != nullptr;
  if (!has_owner) return is_of_tenant ? kNoTenant : kNoDomain;
  if (scope != directory::KeyScope::kSystem) {
    if (auto refused = check_count(directory, wanted.kind, wanted.owner, wanted.most)) return refused;
  }
  fields["id"] = service.next_id(wanted.kind);
  fields[is_of_tenant ? "tenantId" : "domainId"] = wanted.owner;
  return {};
}

void reply_page(const ApiCall& call, DirectoryService& service, directory::Kind kind, std::int64_t parent,
                const std::string& path) {
  service.list(kind, parent, page_request(call),
               [responder = call.responder, path](std::optional<Page> page) {
                 send_page(responder, path + "?", std::move(page));
               });
}

namespace {

// A domain whose profile has fields that were probably meant for others says so.
std::string reply_of(const directory::Entry& entry) {
  const auto* domain = std::get_if<directory::Domain>(&entry);
  if (domain == nullptr || domain->profile.misspelt.empty()) return to_json(entry);
  json::array warnings;
  for (const auto& [given, meant] : domain->profile.misspelt)
    warnings.emplace_back("`profile." + given + "` is kept and means nothing: was `" + meant + "` meant?");
  json::object object = json::parse(to_json(entry)).as_object();
  object["warnings"] = std::move(warnings);
  return to_text(object);
}

}  // namespace

DirectoryService::Done reply_with(const std::shared_ptr<Responder>& responder, int status,
                                  std::shared_ptr<directory::Entry> entry, std::string location) {
  return [=](const std::optional<Refused>& refused) {
    if (refused) return responder->send(problem(*refused));
    HttpReply reply{.status = status};
    if (entry) reply.body = reply_of(*entry);
    if (!location.empty()) reply.headers.emplace_back("Location", location + std::to_string(id_of(*entry)));
    responder->send(std::move(reply));
  };
}

std::optional<std::int64_t> path_id(const ApiCall& call, std::string_view name) {
  return parse_number<std::int64_t>(call.path(name));
}

}  // namespace vas::api
