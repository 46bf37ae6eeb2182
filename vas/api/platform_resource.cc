#include "base/clock.h"
#include "base/json.h"
#include "vas/api/open_api.h"
#include "vas/api/resources.h"

namespace vas::api {
namespace {

namespace json = boost::json;

json::array array_of(const std::vector<MediaResource>& resources) {
  json::array all;
  for (const MediaResource& each : resources) {
    all.emplace_back(json::object{{"name", each.name},
                                  {"addresses", json::array(each.addresses.begin(), each.addresses.end())}});
  }
  return all;
}

// Alive: 503 asks for a restart, which ends every call, so it is said only of what nothing else cures.
void tell_health(ApiCall& call, const std::vector<PartHealth>& parts) {
  bool is_impaired = false, needs_restart = false;
  json::array all;
  for (const PartHealth& part : parts) {
    is_impaired = is_impaired || part.since;
    needs_restart = needs_restart || part.needs_restart;
    all.emplace_back(
        json::object{{"part", part.name},
                     {"state", part.state},
                     {"since", part.since ? json::value(to_rfc3339(*part.since)) : json::value()}});
  }
  const char* status = needs_restart ? "stuck" : is_impaired ? "impaired" : "up";
  call.reply(needs_restart ? 503 : 200,
             json::serialize(json::object{{"status", status}, {"parts", std::move(all)}}));
}

std::optional<std::string> fault_of(const std::vector<PartHealth>& parts) {
  std::string faults;
  for (const PartHealth& part : parts) {
    if (!part.since) continue;
    faults += faults.empty() ? "Not well: " : ", ";
    faults += part.name + " (" + part.state + " since " + to_rfc3339(*part.since) + ")";
  }
  if (faults.empty()) return {};
  return faults + ".";
}

void get_media_resources(ApiCall& call, const PlatformService& service) {
  const auto wants = [&call](std::string_view name) {
    const json::value* flag = call.query.if_contains(name);
    return flag != nullptr && flag->as_bool();
  };
  json::object body;
  if (wants("with_mediaservers")) body["mediaservers"] = array_of(service.media_servers());
  if (wants("with_sbcs")) body["sbcs"] = array_of(service.session_border_controllers());
  call.reply(200, to_text(body));
}

}  // namespace

void add_platform_operations(Operations& operations, PlatformService& service) {
  operations["getMediaResources"] = [&](ApiCall& call) { get_media_resources(call, service); };
  operations["getOpenApi"] = [](ApiCall& call) { call.reply(200, std::string(OpenApi::text())); };
  operations["isUp"] = [&](ApiCall& call) { tell_health(call, service.health()); };
  operations["isReady"] = [&](ApiCall& call) {
    if (service.is_draining()) return call.fail(503, "This node is shutting down.");
    if (const auto fault = fault_of(service.health())) return call.fail(503, *fault);
    call.reply(200, R"({"status":"ready"})");
  };
  operations["getMetrics"] = [&](ApiCall& call) {
    call.responder->send({.content_type = "text/plain; version=0.0.4", .body = service.metrics()});
  };
}

}  // namespace vas::api
