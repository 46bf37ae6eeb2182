#include "signaling/sip/dialog_state.h"

#include "base/json.h"
#include "signaling/sip/sip_message.h"

namespace vas::signaling {
namespace {

namespace json = boost::json;

std::uint32_t number_of(const json::object& object, std::string_view key) {
  const auto number = integer_field(object, key);
  return number && *number >= 0 && *number <= UINT32_MAX ? static_cast<std::uint32_t>(*number) : 0;
}

bool is_true(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_bool() && value->as_bool();
}

}  // namespace

std::string write(const DialogState& state) {
  json::object object{{"call_id", state.call_id},
                      {"local", state.local},
                      {"remote", state.remote},
                      {"local_sequence", state.local_sequence},
                      {"remote_sequence", state.remote_sequence},
                      {"remote_target", state.remote_target},
                      {"routes", json::array(state.routes.begin(), state.routes.end())},
                      {"reaches_private", state.reaches_private},
                      {"is_of_token", state.is_of_token},
                      {"contact", state.contact},
                      {"local_sdp", state.local_sdp},
                      {"invite_sequence", state.invite_sequence}};
  if (state.flow) {
    object["flow"] = {{"transport", to_string(state.flow->transport)},
                      {"peer", to_string(state.flow->peer)},
                      {"connection", state.flow->connection},
                      {"listener", state.flow->listener}};
  }
  return to_text(object);
}

std::optional<DialogState> parse_dialog_state(std::string_view text) {
  const auto parsed = parse_object(text);
  if (!parsed) return {};
  const json::object& object = *parsed;
  DialogState state{.call_id = text_field(object, "call_id"),
                    .local = text_field(object, "local"),
                    .remote = text_field(object, "remote"),
                    .local_sequence = number_of(object, "local_sequence"),
                    .remote_sequence = number_of(object, "remote_sequence"),
                    .remote_target = text_field(object, "remote_target"),
                    .contact = text_field(object, "contact"),
                    .local_sdp = text_field(object, "local_sdp"),
                    .invite_sequence = number_of(object, "invite_sequence")};
  state.reaches_private = is_true(object, "reaches_private");
  state.is_of_token = is_true(object, "is_of_token");
  if (const json::value* routes = object.if_contains("routes"); routes != nullptr && routes->is_array()) {
    for (const json::value& route : routes->as_array()) {
      if (route.is_string()) state.routes.emplace_back(route.as_string());
    }
  }
  if (const json::value* flow = object.if_contains("flow"); flow != nullptr && flow->is_object()) {
    const auto transport = transport_by_name(text_field(flow->as_object(), "transport"));
    const auto peer = Endpoint::parse(text_field(flow->as_object(), "peer"));
    if (transport && peer) {
      state.flow = Flow{*transport, *peer, number_of(flow->as_object(), "connection"),
                        static_cast<std::uint16_t>(number_of(flow->as_object(), "listener"))};
    }
  }
  if (state.call_id.empty() || state.local.empty() || state.remote.empty()) return {};
  return state;
}

bool stays_on_flow(const Flow& flow, std::string_view first_hop_uri, bool is_record_routed) {
  if (has_connections(flow.transport)) return true;
  const auto uri = SipUri::parse(first_hop_uri);
  const auto address = uri ? IpAddress::parse(uri->host) : std::nullopt;
  if (!address) return true;
  if (is_record_routed || *address == flow.peer.address) return false;
  return address->is_private() || address->is_loopback() || address->is_unspecified() ||
         address->family != flow.peer.address.family;
}

}  // namespace vas::signaling
