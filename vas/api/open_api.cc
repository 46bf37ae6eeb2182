#include "vas/api/open_api.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"

namespace vas::api {
namespace {

namespace json = boost::json;

#include "vas/api/openapi_document.inc"

constexpr std::string_view kIdempotencyKey = "Idempotency-Key";

bool is_parameter(std::string_view segment) { return segment.starts_with('{'); }

std::optional<Matched> match_path(const Operation& operation, const std::vector<std::string>& segments) {
  if (operation.path.size() != segments.size()) return {};
  Matched matched{&operation, {}};
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::string& wanted = operation.path[i];
    if (is_parameter(wanted)) {
      if (segments[i].empty()) return {};
      matched.parameters.emplace_back(wanted.substr(1, wanted.size() - 2), segments[i]);
    } else if (wanted != segments[i]) {
      return {};
    }
  }
  return matched;
}

directory::KeyScope scope_by_name(std::string_view name) {
  using directory::KeyScope;
  for (const KeyScope each :
       {KeyScope::kSystem, KeyScope::kTenant, KeyScope::kDomain, KeyScope::kApplication}) {
    if (name == to_string(each)) return each;
  }
  VAS_CHECK(false, "the document names only scopes that exist");
  return KeyScope::kSystem;
}

}  // namespace

std::string_view OpenApi::text() { return kDocument; }

OpenApi::OpenApi() {
  const json::object document = json::parse(kDocument).as_object();
  for (const auto& [path, item] : document.at("paths").as_object()) {
    for (const auto& [method, definition] : item.as_object())
      add_operation(path, method, definition.as_object(), document);
  }
  // Fewer parameters first: /calls/{domain}/sessions/{token} before /calls/{domain}/{direction}/{msisdn}.
  std::stable_sort(operations_.begin(), operations_.end(), [](const Operation& a, const Operation& b) {
    const auto count = [](const Operation& each) {
      return std::count_if(each.path.begin(), each.path.end(), is_parameter);
    };
    return count(a) < count(b);
  });
}

void OpenApi::add_operation(const std::string& path, std::string_view method, const json::object& definition,
                            const json::object& document) {
  Operation operation{.id = std::string(definition.at("operationId").as_string()),
                      .method = std::string(method)};
  std::transform(operation.method.begin(), operation.method.end(), operation.method.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  for (const std::string_view segment : split(std::string_view(path).substr(1), '/'))
    operation.path.emplace_back(segment);

  operation.replies_to_head = operation.method == "GET" && !definition.contains("x-waits");

  const json::array& security = definition.at("security").as_array();
  operation.is_public = security.empty();
  for (const json::value& each : security) {
    for (const json::value& scope : each.as_object().at("bearer").as_array())
      operation.scopes.push_back(scope_by_name(std::string_view(scope.as_string())));
  }
  if (const json::value* parameters = definition.if_contains("parameters")) {
    for (const json::value& each : parameters->as_array()) {
      const json::object& parameter = resolved(each.as_object(), document);
      if (parameter.at("in").as_string() == "header" && parameter.at("name").as_string() == kIdempotencyKey)
        operation.accepts_idempotency_key = true;
      if (parameter.at("in").as_string() != "query") continue;
      operation.query.push_back({std::string(parameter.at("name").as_string()),
                                 Schema(parameter.at("schema").as_object(), document),
                                 parameter.contains("allowEmptyValue")});
    }
  }
  if (const json::value* body = definition.if_contains("requestBody")) {
    const json::object& content = body->as_object().at("content").as_object();
    for (const auto& [type, value] : content) operation.media_types.emplace_back(type);
    const json::object& first = content.at(operation.media_types.front()).as_object();
    operation.body.emplace(first.at("schema").as_object(), document);
    operation.needs_body = body->as_object().contains("required");
  }
  operations_.push_back(std::move(operation));
}

std::variant<Matched, NoSuchPath, NoSuchMethod> OpenApi::match(
    std::string_view method, const std::vector<std::string>& segments) const {
  thread_check_.check();
  std::string allowed;
  for (const Operation& each : operations_) {
    auto matched = match_path(each, segments);
    if (!matched) continue;
    if (each.method == method || (each.replies_to_head && method == "HEAD")) return std::move(*matched);
    if (allowed.find(each.method) == std::string::npos)
      allowed += (allowed.empty() ? "" : ", ") + each.method + (each.replies_to_head ? ", HEAD" : "");
  }
  if (allowed.empty()) return NoSuchPath{};
  return NoSuchMethod{allowed};
}

}  // namespace vas::api
