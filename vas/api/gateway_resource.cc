#include "base/clock.h"
#include "base/json.h"
#include "vas/api/resources.h"

namespace vas::api {
namespace {

namespace json = boost::json;

void list_bans(ApiCall& call, GatewayService& service) {
  service.list_bans([responder = call.responder](const std::vector<BannedSource>& bans) {
    json::array all;
    for (const BannedSource& ban : bans) {
      all.emplace_back(json::object{{"source", ban.source},
                                    {"reason", ban.reason},
                                    {"secondsLeft", ban.seconds_left},
                                    {"dropped", ban.dropped}});
    }
    responder->send({.status = 200, .body = to_text(all)});
  });
}

void lift_ban(ApiCall& call, GatewayService& service) {
  const auto source = IpAddress::parse(call.path("source"));
  if (!source) return call.fail(400, "`" + call.path("source") + "` is no IP address.");
  service.lift_ban(*source, [responder = call.responder](bool was_banned) {
    if (!was_banned) return responder->send(problem(404, "That address is not banned."));
    responder->send({.status = 204});
  });
}

void get_trace(ApiCall& call, GatewayService& service) {
  service.trace(call.path("token"), [responder = call.responder](const std::vector<TracedMessage>& messages) {
    if (messages.empty()) {
      return responder->send(problem(
          404, "No message of such a session is kept: it made no call, or `trace-buffer` is too small."));
    }
    json::array all;
    for (const TracedMessage& message : messages) {
      all.emplace_back(json::object{{"at", to_rfc3339(message.at)},
                                    {"transport", message.transport},
                                    {"from", message.from},
                                    {"to", message.to},
                                    {"text", message.text}});
    }
    responder->send({.status = 200, .body = to_text(json::object{{"messages", std::move(all)}})});
  });
}

}  // namespace

void add_gateway_operations(Operations& operations, GatewayService& service) {
  operations["listBans"] = [&](ApiCall& call) { list_bans(call, service); };
  operations["liftBan"] = [&](ApiCall& call) { lift_ban(call, service); };
  operations["getTrace"] = [&](ApiCall& call) { get_trace(call, service); };
}

}  // namespace vas::api
