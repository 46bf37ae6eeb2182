#include "vas/api/open_api.h"
#include "vas/api/resources.h"
#include "vas/base/json.h"

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

void get_media_resources(ApiCall& call, const PlatformService& service) {
  const auto wants = [&call](std::string_view name) {
    const json::value* flag = call.query.if_contains(name);
    return flag != nullptr && flag->as_bool();
  };
  json::object body;
  if (wants("with_mediaservers")) body["mediaservers"] = array_of(service.media_servers());
  if (wants("with_sbcs")) body["sbcs"] = array_of(service.session_border_controllers());
  call.answer(200, to_text(body));
}

}  // namespace

void add_platform_operations(Operations& operations, PlatformService& service) {
  operations["getMediaResources"] = [&](ApiCall& call) { get_media_resources(call, service); };
  operations["getOpenApi"] = [](ApiCall& call) { call.answer(200, std::string(OpenApi::text())); };
  operations["isUp"] = [](ApiCall& call) { call.answer(200, R"({"status":"up"})"); };
  operations["isReady"] = [&](ApiCall& call) {
    if (service.is_draining()) return call.fail(503, "This node is shutting down.");
    call.answer(200, R"({"status":"ready"})");
  };
  operations["getMetrics"] = [&](ApiCall& call) {
    call.responder->send({.content_type = "text/plain; version=0.0.4", .body = service.metrics()});
  };
}

}  // namespace vas::api
