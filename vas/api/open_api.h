// The OpenAPI document as the server lives by it: routes, methods, authority, and what requests may say.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/thread_check.h"
#include "vas/api/schema.h"
#include "vas/directory/directory.h"

namespace vas::api {

struct Parameter {
  std::string name;
  Schema schema;
  bool may_be_bare = false;  // allowEmptyValue: its name alone means true
};

struct Operation {
  std::string id;                           // operationId
  std::string method;                       // "GET"
  std::vector<std::string> path;            // segments; "{msisdn}" is a parameter
  bool is_public = false;                   // no key is needed
  std::vector<directory::KeyScope> scopes;  // that may call it
  std::vector<Parameter> query;
  std::optional<Schema> body;
  bool needs_body = false;
  std::vector<std::string> media_types;  // of a body, the usual one first
  bool accepts_idempotency_key = false;  // lists the field among its parameters
  bool replies_to_head = false;          // a GET that does not wait
};

struct Matched {
  const Operation* operation = nullptr;
  std::vector<std::pair<std::string, std::string>> parameters;  // of the path
};
struct NoSuchPath {};
struct NoSuchMethod {
  std::string allowed;  // for the Allow header
};

// Threads: control only. Lifetime: for the whole program.
class OpenApi {
 public:
  OpenApi();

  // The document, as it is served.
  static std::string_view text();
  const std::vector<Operation>& operations() const { return operations_; }
  // `segments` are decoded. A literal segment wins over a parameter. HEAD finds what GET would.
  std::variant<Matched, NoSuchPath, NoSuchMethod> match(std::string_view method,
                                                        const std::vector<std::string>& segments) const;

 private:
  void add_operation(const std::string& path, std::string_view method, const boost::json::object& definition,
                     const boost::json::object& document);

  std::vector<Operation> operations_;
  ThreadCheck thread_check_{"OpenApi"};
};

}  // namespace vas::api
