// What the directory's resources have in common: an entry out of a request, and the reply when it is stored.
#pragma once

#include <boost/json.hpp>
#include <memory>
#include <optional>
#include <string>

#include "vas/api/api_call.h"
#include "vas/api/directory_service.h"

namespace vas::api {

// Parses `fields` into `entry`; 400 where they make none.
std::optional<Refused> read_entry(directory::Kind kind, const boost::json::object& fields,
                                  directory::Entry& entry);

// Memory and look-ups are everybody's: how many entries who is not the system may put under one parent.
inline constexpr std::size_t kMaxDomainsOfTenant = 1'000;
inline constexpr std::size_t kMaxSubscribersOfDomain = 100'000;
inline constexpr std::size_t kMaxTrunksOfDomain = 256;
inline constexpr std::size_t kMaxKeysOfDomain = 1'000;
std::optional<Refused> check_count(const directory::Directory& directory, directory::Kind kind,
                                   std::int64_t parent, std::size_t most);

// Only the system raises a cap above what stands.
std::optional<Refused> check_caps(const directory::Caps& stands, const directory::Caps& wanted,
                                  directory::KeyScope scope);

// The reply to a change: the entry as it became with `status`, or 204 without one.
DirectoryService::Done reply_with(const std::shared_ptr<Responder>& responder, int status,
                                  std::shared_ptr<directory::Entry> entry = nullptr,
                                  std::string location = {});

inline const Refused kNoTenant{404, "There is no such tenant."};
inline const Refused kNoDomain{404, "There is no such domain."};

// `fields` laid over what the store keeps of `entry` (RFC 7396 merge patch: null removes, objects are merged,
// all else is replaced).
boost::json::object patched(const directory::Entry& entry, const boost::json::object& fields);

// Makes `fields` a new entry's: they get an id, and that of the entry's owner, which must exist and, unless
// the system asks, have fewer than `most` of the kind.
struct NewEntry {
  directory::Kind kind;
  std::int64_t owner;
  std::size_t most;
};
std::optional<Refused> begin_entry(const NewEntry& wanted, directory::KeyScope scope,
                                   DirectoryService& service, const directory::Directory& directory,
                                   boost::json::object& fields);

// Parses `fields` into `entry` and puts it into `change`, unless `check` of it has an objection.
template <typename T, typename Check>
std::optional<Refused> put_entry(const boost::json::object& fields, directory::Entry& entry,
                                 directory::Change& change, Check check) {
  if (auto refused = read_entry(directory::description_of<T>().kind, fields, entry)) return refused;
  if (auto refused = check(std::get<T>(entry))) return refused;
  change.emplace_back(entry);
  return {};
}

// A change of the entry that `find` finds in the directory when the change's turn has come, as `plan` makes
// it of entry, directory and change; `none`, where there is no such entry.
template <typename Find, typename Plan>
DirectoryService::Plan plan_for(Find find, const Refused& none, Plan plan) {
  return [=](const directory::Directory& directory, directory::Change& change) -> std::optional<Refused> {
    const auto* entry = find(directory);
    if (entry == nullptr) return none;
    return plan(*entry, directory, change);
  };
}

// Makes an entry of `owner` out of the call's body, unless `check` of directory and entry has an objection.
// `entry`: as it became, when `done` is called.
template <typename T, typename Check>
void create_entry(const ApiCall& call, DirectoryService& service, std::int64_t owner, std::size_t most,
                  const std::shared_ptr<directory::Entry>& entry, Check check, DirectoryService::Done done) {
  service.change(
      [=, &service, scope = call.key->scope, fields = call.body](
          const directory::Directory& directory,
          directory::Change& change) mutable -> std::optional<Refused> {
        const NewEntry wanted{directory::description_of<T>().kind, owner, most};
        if (auto refused = begin_entry(wanted, scope, service, directory, fields)) return refused;
        return put_entry<T>(fields, *entry, change, [&](T& made) { return check(directory, made); });
      },
      std::move(done));
}

// Lays the call's body over the entry that `find` finds, unless `check` of directory, the entry as it stands,
// and as it would become, has an objection.
template <typename Find, typename Check>
void patch_entry(const ApiCall& call, DirectoryService& service, Find find, const Refused& none,
                 Check check) {
  const auto entry = std::make_shared<directory::Entry>();
  service.change(
      plan_for(std::move(find), none,
               [entry, check, fields = call.body]<typename T>(
                   const T& stands, const directory::Directory& directory, directory::Change& change) {
                 return put_entry<T>(patched(stands, fields), *entry, change,
                                     [&](T& wanted) { return check(directory, stands, wanted); });
               }),
      reply_with(call.responder, 200, entry));
}

// The removal of the entry that `find` finds, with which nothing else goes.
template <typename Find>
DirectoryService::Plan plan_removal(Find find, const Refused& none) {
  return plan_for(std::move(find), none,
                  []<typename T>(const T& entry, const directory::Directory&,
                                 directory::Change& change) -> std::optional<Refused> {
                    change.emplace_back(directory::Removal{directory::description_of<T>().kind, entry.id});
                    return {};
                  });
}

// Replies with the entry as it stands, or that there is `none`.
template <typename T>
void reply_entry(const ApiCall& call, const T* entry, const Refused& none) {
  if (entry == nullptr) return call.fail(none.status, none.detail);
  call.reply(200, to_json(directory::Entry(*entry)));
}

// Replies with a page of the entries under `parent`; `path`: of the list, for the link to the next page.
void reply_page(const ApiCall& call, DirectoryService& service, directory::Kind kind, std::int64_t parent,
                const std::string& path);

// Numbers of a path; nothing where it is none.
std::optional<std::int64_t> path_id(const ApiCall& call, std::string_view name);

}  // namespace vas::api
