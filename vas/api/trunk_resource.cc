#include <algorithm>

#include "base/json.h"
#include "vas/api/directory_entry.h"
#include "vas/api/resources.h"

namespace vas::api {
namespace {

using directory::Change;
using directory::Directory;
using directory::Entry;
using directory::KeyScope;
using directory::Kind;
using directory::Trunk;

// A wider block takes the platform's operator: whoever stands in `sources` calls in without a token. No
// carrier calls from more; the widest of the first pair is never a customer's, whoever else uses some of it.
constexpr int kWidestIpv4 = 24, kNeverIpv4 = 16;
constexpr int kWidestIpv6 = 48, kNeverIpv6 = 32;

const Refused kNoTrunk{404, "The domain has no such trunk."};

// Loopback, private, shared, link-local, multicast: behind such an address stands whoever happens to be near.
bool is_near(const Network& source) {
  static const std::vector<Network> near = [] {
    std::vector<Network> all;
    for (const char* block :
         {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
          "192.168.0.0/16", "224.0.0.0/3", "::/96", "64:ff9b::/96", "fc00::/7", "fe80::/9", "ff00::/8"})
      all.push_back(*Network::parse(block));
    return all;
  }();
  return std::any_of(near.begin(), near.end(), [&](const Network& each) { return each.overlaps(source); });
}

Refused too_wide(const Network& source, int widest) {
  return {400, "`sources` has `" + to_string(source) + "`: a block wider than /" + std::to_string(widest) +
                   " takes a system key."};
}

std::optional<Refused> check_source(const Directory& directory, const Network& source, std::int64_t tenant) {
  const bool is_ipv4 = source.address.family == AddressFamily::kIpv4;
  const int widest = is_ipv4 ? kWidestIpv4 : kWidestIpv6;
  if (source.prefix_bits < (is_ipv4 ? kNeverIpv4 : kNeverIpv6)) return too_wide(source, widest);
  for (const auto& [id, other] : directory.trunks()) {
    const directory::Domain* domain = directory.domain(other.domain_id);
    if (domain == nullptr || domain->tenant_id == tenant) continue;
    for (const Network& taken : other.sources) {
      if (taken.overlaps(source))
        return Refused{409, "`sources` has `" + to_string(source) +
                                "`, which another tenant's trunk uses. A system key can share it."};
    }
  }
  if (source.prefix_bits < widest) return too_wide(source, widest);
  if (is_near(source))
    return Refused{400, "`sources` has `" + to_string(source) +
                            "`, which is no address of the internet: that takes a system key."};
  return {};
}

// A tenant cannot claim addresses that another tenant's carrier calls from, nor the whole internet, nor what
// is near. What stands in `before` was the system's to give.
std::optional<Refused> check_sources(const Directory& directory, const Trunk& trunk, const Trunk* before) {
  const std::int64_t tenant = directory.domain(trunk.domain_id)->tenant_id;
  for (const Network& source : trunk.sources) {
    const bool stands = before != nullptr && std::find(before->sources.begin(), before->sources.end(),
                                                       source) != before->sources.end();
    if (stands) continue;
    if (auto refused = check_source(directory, source, tenant)) return refused;
  }
  return {};
}

struct Author {
  const DirectoryService& service;
  KeyScope scope = KeyScope::kDomain;
  // Fields of its request.
  bool says_private = false;
  bool names_targets = false;
  bool says_trusted = false;
};

Author author_of(const DirectoryService& service, KeyScope scope, const boost::json::object& fields) {
  return {service, scope, fields.contains("reachesPrivate"), fields.contains("targets"),
          fields.contains("trusted")};
}

// Who names the targets says whether they may be in private ranges: the system may, and what others name in
// its place is theirs again. `before`: the trunk as it stands; none: it is new.
std::optional<Refused> settle_private(const Trunk* before, const Author& author, Trunk& trunk) {
  const bool was_said = before != nullptr && before->reaches_private;
  if (author.scope == KeyScope::kSystem) {
    if (!author.says_private && author.names_targets && names_private_target(trunk))
      trunk.reaches_private = true;
    return {};
  }
  if (trunk.reaches_private && !was_said) return Refused{400, "`reachesPrivate` takes a system key."};
  const bool names_others =
      before != nullptr && std::any_of(trunk.targets.begin(), trunk.targets.end(), [&](const auto& each) {
        return std::find(before->targets.begin(), before->targets.end(), each) == before->targets.end();
      });
  if (names_others) trunk.reaches_private = false;
  return {};
}

// Only of sources that the system gave are budgets, bans and proofs waived: else any customer could waive
// them for a stranger, or for the victim of one.
std::optional<Refused> settle_trust(const Trunk* before, const Author& author, Trunk& trunk) {
  if (author.scope == KeyScope::kSystem) return {};
  const bool was_trusted = before != nullptr && before->trusted;
  if (author.says_trusted && trunk.trusted && !was_trusted)
    return Refused{400, "`trusted` takes a system key."};
  const bool names_others =
      before == nullptr || std::any_of(trunk.sources.begin(), trunk.sources.end(), [&](const Network& each) {
        return std::find(before->sources.begin(), before->sources.end(), each) == before->sources.end();
      });
  if (names_others) trunk.trusted = false;
  return {};
}

std::optional<Refused> check_targets(const DirectoryService& service, const Trunk* before,
                                     const Trunk& trunk) {
  const bool is_same = before != nullptr && before->targets == trunk.targets &&
                       before->reaches_private == trunk.reaches_private;
  if (is_same) return {};
  for (const std::string& target : trunk.targets) {
    if (const auto fault = service.fault_of_server(target, trunk.reaches_private))
      return Refused{400, "`targets` " + *fault + "."};
  }
  return {};
}

std::optional<Refused> check(const Directory& directory, const Author& author, const Trunk* before,
                             Trunk& trunk) {
  if (author.scope != KeyScope::kSystem) {
    if (auto refused = check_sources(directory, trunk, before)) return refused;
  }
  if (auto refused = settle_private(before, author, trunk)) return refused;
  if (auto refused = settle_trust(before, author, trunk)) return refused;
  return check_targets(author.service, before, trunk);
}

void create(ApiCall& call, DirectoryService& service) {
  const auto entry = std::make_shared<Entry>();
  create_entry<Trunk>(
      call, service, call.domain->id, kMaxTrunksOfDomain, entry,
      [author = author_of(service, call.key->scope, call.body)](const Directory& directory, Trunk& trunk) {
        return check(directory, author, nullptr, trunk);
      },
      reply_with(call.responder, 201, entry, "/domains/" + call.domain->name + "/trunks/"));
}

// The trunk that the path names.
auto finder(const ApiCall& call) {
  return [domain = call.domain->id, id = path_id(call, "trunk")](const Directory& directory) {
    const Trunk* trunk = id ? directory.trunk(*id) : nullptr;
    return trunk != nullptr && trunk->domain_id == domain ? trunk : nullptr;
  };
}

void patch(ApiCall& call, DirectoryService& service) {
  respell(call.body, directory::kOtherSpellings);
  patch_entry(call, service, finder(call), kNoTrunk,
              [author = author_of(service, call.key->scope, call.body)](const Directory& directory,
                                                                        const Trunk& stands, Trunk& wanted) {
                return check(directory, author, &stands, wanted);
              });
}

}  // namespace

void add_trunk_operations(Operations& operations, DirectoryService& service) {
  operations["listTrunks"] = [&](ApiCall& call) {
    reply_page(call, service, Kind::kTrunk, call.domain->id, "/domains/" + call.domain->name + "/trunks");
  };
  operations["createTrunk"] = [&](ApiCall& call) { create(call, service); };
  operations["getTrunk"] = [&](ApiCall& call) {
    reply_entry(call, finder(call)(service.directory()), kNoTrunk);
  };
  operations["updateTrunk"] = [&](ApiCall& call) { patch(call, service); };
  operations["deleteTrunk"] = [&](ApiCall& call) {
    service.change(plan_removal(finder(call), kNoTrunk), reply_with(call.responder, 204));
  };
}

}  // namespace vas::api
