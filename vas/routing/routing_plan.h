// The ways to a destination, in order, and what may be tried next.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/host_port.h"
#include "base/result.h"
#include "base/time.h"
#include "signaling/sip/digest.h"
#include "signaling/sip/flow.h"
#include "vas/directory/directory.h"
#include "vas/records/cdr.h"

namespace vas::routing {

struct Route {
  std::optional<std::int64_t> trunk_id;
  HostPort server;
  std::optional<signaling::Transport> transport;  // none: UDP, or for a name what DNS says
  std::string number;                             // as it goes out
  std::optional<records::Price> buy_price;
  bool latches_to_anyone = false;
  bool reaches_private = false;  // the system has said that it may lead into a private range
  bool symmetric_media = true;
  directory::IdentityRule identity = directory::IdentityRule::kNone;
  MediaEncryption media_encryption = MediaEncryption::kNone;
  MediaKeying media_keying = MediaKeying::kSdes;
  IceMode ice = IceMode::kNone;
  signaling::Credentials credentials;
  std::optional<Duration> no_answer_timeout;  // none: the domain's
  std::optional<Duration> progress_timeout;
};

struct RoutingPlan {
  std::vector<Route> routes;
  std::optional<records::Price> sell_price;
};

// A plan in the API's JSON (`routes`); says which field is wrong.
Result<RoutingPlan> parse_routing_plan(std::string_view json_text);

// The same plan with `route` renamed to `routes`, all else unchanged.
Result<std::string> normalize_routing_plan(std::string_view json_text);

// Each target of each of the domain's trunks that takes `number`.
RoutingPlan plan_by_trunks(const directory::Directory& directory, std::int64_t domain_id,
                           std::string_view number);

// What the domain's trunks say holds for a plan's routes too. One that names a trunk (`cx_trunk_id`) may be
// silent for as long as that may, and tells it of the caller what its rule says. For one that leads to a
// trunk, by the host of one of its targets or by its sources, it holds where that trunk's media comes from
// (`symmetric`, `latchesToAnyone`).
void adopt_rules_of_trunks(const directory::Directory& directory, std::int64_t domain_id, RoutingPlan& plan);

// True when the next route is to be tried after this response: 5xx, 408, any 3xx (never followed), or none
// (0).
bool fails_over(int status);

// `sip:<number>@<server>`; characters that a user part may not hold are escaped (RFC 3261 §25.1).
std::string request_uri(const Route& route);
std::string escape_user(std::string_view user);

}  // namespace vas::routing
