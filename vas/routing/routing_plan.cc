#include "vas/routing/routing_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/text.h"

namespace vas::routing {
namespace {

namespace json = boost::json;

// A dead route costs four seconds: nobody waits for more than a few.
constexpr std::size_t kMaxRoutes = 32;

std::optional<double> number_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) return {};
  return value->to_number<double>();
}

// A whole number within what any plan means; a figure beyond that is cut.
std::int64_t whole(double value) { return static_cast<std::int64_t>(std::clamp(value, 0.0, 1e15)); }

std::optional<records::Price> price_of(const json::object& object, const std::string& key) {
  const auto rate = number_of(object, key);
  if (!rate) return {};
  return records::Price{*rate, whole(number_of(object, key + "_minimum").value_or(0)),
                        whole(number_of(object, key + "_increment").value_or(1))};
}

const json::value* routes_of(const json::object& plan) {
  const json::value* routes = plan.if_contains("routes");
  return routes != nullptr ? routes : plan.if_contains("route");
}

// "192.0.2.7:5060", "carrier.example;transport=tls".
struct RouteTarget {
  HostPort server;
  std::optional<signaling::Transport> transport;
};

Result<RouteTarget> parse_target(std::string_view text) {
  auto server = HostPort::parse(text.substr(0, text.find(';')));
  if (!server) return Error{"is no server such as 192.0.2.7:5060 or sip.carrier.example"};
  const auto named = parameter(text, "transport");
  const auto transport = named ? signaling::transport_by_name(*named) : std::nullopt;
  if (named && (!transport || signaling::is_websocket(*transport)))
    return Error{"names a transport that is none of udp, tcp and tls"};
  return RouteTarget{std::move(*server), transport};
}

Result<Route> parse_route(const json::value& value, std::size_t number) {
  const std::string where = fmt::format("routing.routes[{}]", number);
  if (!value.is_object()) return Error{where + " is not an object"};
  const json::object& object = value.as_object();
  const json::value* ip = object.if_contains("termination_ip");
  const json::value* digits = object.if_contains("termination_number");
  if (ip == nullptr || !ip->is_string()) return Error{where + ".termination_ip is missing"};
  if (digits == nullptr || !digits->is_string() || digits->as_string().empty())
    return Error{where + ".termination_number is missing"};

  const std::string text(ip->as_string());
  auto target = parse_target(text);
  if (!target) return Error{where + ".termination_ip " + target.error()};
  Route route{.server = std::move(target->server),
              .transport = target->transport,
              .number = std::string(digits->as_string()),
              .buy_price = price_of(object, "buyrate")};
  if (!is_printable(route.number)) return Error{where + ".termination_number has control characters"};
  if (const auto trunk = number_of(object, "cx_trunk_id")) route.trunk_id = whole(*trunk);
  return route;
}

bool is_at(const directory::Trunk& trunk, const std::string& host) {
  const auto address = IpAddress::parse(host);
  const auto is_source = [&](const Network& each) { return address && each.contains(*address); };
  const auto is_target = [&](const std::string& each) {
    const auto target = parse_target(each);
    return target && target->server.host == host;
  };
  return std::any_of(trunk.sources.begin(), trunk.sources.end(), is_source) ||
         std::any_of(trunk.targets.begin(), trunk.targets.end(), is_target);
}

directory::IdentityRule rule_of(const directory::Trunk& trunk) {
  using directory::IdentityRule;
  return trunk.identity.value_or(trunk.trusted ? IdentityRule::kTrusted : IdentityRule::kNone);
}

Result<json::object> parse_plan(std::string_view json_text) {
  auto object = parse_object(json_text);
  if (!object) return Error{"routing is not an object"};
  return std::move(*object);
}

}  // namespace

Result<RoutingPlan> parse_routing_plan(std::string_view json_text) {
  const auto object = parse_plan(json_text);
  if (!object) return Error{object.error()};
  const json::value* routes = routes_of(*object);
  if (routes == nullptr || !routes->is_array()) return Error{"routing.routes is not a list"};
  if (routes->as_array().size() > kMaxRoutes)
    return Error{fmt::format("routing.routes has more than {} routes", kMaxRoutes)};

  RoutingPlan plan{.sell_price = price_of(*object, "sellrate")};
  for (const json::value& each : routes->as_array()) {
    auto route = parse_route(each, plan.routes.size());
    if (!route) return Error{route.error()};
    plan.routes.push_back(std::move(*route));
  }
  return plan;
}

Result<std::string> normalize_routing_plan(std::string_view json_text) {
  const auto plan = parse_routing_plan(json_text);
  if (!plan) return Error{plan.error()};
  auto object = parse_plan(json_text);
  if (const json::value* route = object->if_contains("route")) {
    if (!object->contains("routes")) object->insert_or_assign("routes", *route);
    object->erase("route");
  }
  return to_text(*object);
}

RoutingPlan plan_by_trunks(const directory::Directory& directory, std::int64_t domain_id,
                           std::string_view number) {
  RoutingPlan plan;
  for (const directory::Trunk* trunk : directory.trunks_for(domain_id, number)) {
    std::string outgoing(number);
    if (!trunk->strip_prefix.empty() && outgoing.starts_with(trunk->strip_prefix))
      outgoing.erase(0, trunk->strip_prefix.size());
    outgoing.insert(0, trunk->add_prefix);
    for (const std::string& target : trunk->targets) {
      const auto server = parse_target(target);
      if (!server) continue;
      plan.routes.push_back({.trunk_id = trunk->id,
                             .server = server->server,
                             .transport = server->transport,
                             .number = outgoing,
                             .latches_to_anyone = trunk->latches_to_anyone,
                             .reaches_private = trunk->reaches_private,
                             .symmetric_media = trunk->symmetric,
                             .identity = rule_of(*trunk),
                             .media_encryption = trunk->media_encryption,
                             .media_keying = trunk->media_keying,
                             .ice = trunk->ice.value_or(IceMode::kNone),
                             .credentials = {trunk->username, trunk->password, trunk->realm},
                             .no_answer_timeout = trunk->no_answer_timeout,
                             .progress_timeout = trunk->progress_timeout});
    }
  }
  return plan;
}

void adopt_rules_of_trunks(const directory::Directory& directory, std::int64_t domain_id, RoutingPlan& plan) {
  for (Route& route : plan.routes) {
    const directory::Trunk* named = route.trunk_id ? directory.trunk(*route.trunk_id) : nullptr;
    if (named != nullptr && named->domain_id == domain_id) {  // else it is a plan's own word for something
      route.no_answer_timeout = named->no_answer_timeout;
      route.progress_timeout = named->progress_timeout;
      route.identity = rule_of(*named);
    }
    const auto leads_to = [&](const auto& each) {
      return each.second.domain_id == domain_id && is_at(each.second, route.server.host);
    };
    const auto trunk = std::find_if(directory.trunks().begin(), directory.trunks().end(), leads_to);
    if (trunk == directory.trunks().end()) continue;
    route.symmetric_media = trunk->second.symmetric;
    route.latches_to_anyone = trunk->second.latches_to_anyone;
  }
}

bool fails_over(int status) { return status == 0 || status == 408 || status / 100 == 3 || status / 100 == 5; }

std::string escape_user(std::string_view user) {
  constexpr std::string_view kUnescaped =
      "-_.!~*'()&=+$,;?/";  // unreserved and user-unreserved, RFC 3261 §25.1
  std::string escaped;
  for (const char c : user) {
    const bool is_alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (is_alphanumeric || kUnescaped.find(c) != std::string_view::npos) {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

std::string request_uri(const Route& route) {
  const std::string transport = route.transport && *route.transport != signaling::Transport::kUdp
                                    ? fmt::format(";transport={}", signaling::to_string(*route.transport))
                                    : "";
  return fmt::format("sip:{}@{}{}", escape_user(route.number), to_string(route.server), transport);
}

}  // namespace vas::routing
