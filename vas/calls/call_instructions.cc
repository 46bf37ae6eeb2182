#include "vas/calls/call_instructions.h"

#include "base/json.h"

namespace vas::calls {
namespace {

constexpr std::int64_t kDecline = 603;

Result<CallInstructions> parse_reject(const boost::json::object& object) {
  const bool has_code = object.contains("code");
  const auto code = integer_field(object, "code");
  if (has_code && (!code || *code < 400 || *code > 699))
    return Error{"`code` must be a whole number from 400 to 699"};
  return CallInstructions{
      {.outcome = BackendOutcome::kReject, .code = static_cast<int>(code.value_or(kDecline))}, {}};
}

Result<CallInstructions> parse_route(const boost::json::object& object) {
  const boost::json::value* routing = object.if_contains("routing");
  if (routing == nullptr) return Error{"`routing` is missing"};
  auto plan = routing::parse_routing_plan(to_text(*routing));
  if (!plan) return Error{plan.error()};
  return CallInstructions{{.outcome = BackendOutcome::kRoute, .plan = std::move(*plan)}, {}};
}

}  // namespace

Result<CallInstructions> parse_call_instructions(std::string_view json_text) {
  if (json_text.find_first_not_of(" \t\r\n") == std::string_view::npos) return CallInstructions{};
  const auto object = parse_object(json_text);
  if (!object) return Error{"the answer is no JSON object"};
  const std::string action = text_field(*object, "action");
  if (action == "park") return CallInstructions{{}, text_field(*object, "session")};
  if (action == "reject") return parse_reject(*object);
  if (action == "route") return parse_route(*object);
  return Error{"`action` must be park, reject or route"};
}

}  // namespace vas::calls
