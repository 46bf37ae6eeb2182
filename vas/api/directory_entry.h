// What the directory's resources have in common: an entry out of a request, and the reply when it is stored.
#pragma once

#include <boost/json.hpp>
#include <memory>
#include <optional>
#include <string>

#include "vas/api/api_call.h"
#include "vas/api/directory_service.h"

namespace vas::api {

// `fields` laid over `entry` (RFC 7396 merge patch: null removes, objects are merged, all else is replaced).
void merge(boost::json::object& entry, const boost::json::object& fields);

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

// The object that the store keeps of `entry`, to merge a patch into.
boost::json::object stored_object(const directory::Entry& entry);

// The reply to a change: the entry as it became with `status`, or 204 without one.
DirectoryService::Done reply_with(const std::shared_ptr<Responder>& responder, int status,
                                  std::shared_ptr<directory::Entry> entry = nullptr,
                                  std::string location = {});

// Numbers of a path; nothing where it is none.
std::optional<std::int64_t> path_id(const ApiCall& call, std::string_view name);

}  // namespace vas::api
