// Reads a request's JSON object strictly: every field named, typed and known, or a 400 that says which is
// not.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vas/api/http_server.h"
#include "vas/base/text.h"

namespace vas::api {

class JsonBody {
 public:
  // An empty body counts as {}. `error()` holds the complaint when this is no JSON object.
  explicit JsonBody(const HttpRequest& request) {
    if (request.body.empty()) return;
    const std::string_view type =
        trim(std::string_view(request.content_type).substr(0, request.content_type.find(';')));
    if (!type.empty() && !equals_ignoring_case(type, "application/json")) {
      wrong_type_ = true;
      fail("Content-Type must be application/json");
      return;
    }
    boost::json::parse_options options;
    options.max_depth = 32;
    boost::system::error_code failure;
    boost::json::value value = boost::json::parse(request.body, failure, {}, options);
    if (failure) {
      fail("The body is not JSON: " + failure.message());
    } else if (!value.is_object()) {
      fail("The body is not a JSON object");
    } else {
      object_ = std::move(value.as_object());
    }
  }

  std::string text(std::string_view name, bool is_required = false) {
    const boost::json::value* value = take(name);
    if (value == nullptr) {
      if (is_required) fail("`" + std::string(name) + "` is missing");
      return {};
    }
    if (!value->is_string()) {
      fail("`" + std::string(name) + "` must be a string");
      return {};
    }
    std::string content(value->as_string());
    if (has_control_characters(content) || content.size() > 4096)
      fail("`" + std::string(name) + "` has control characters or is over 4096 bytes");
    if (is_required && content.empty()) fail("`" + std::string(name) + "` is empty");
    return content;
  }
  // Nothing where it is absent or null; `is_there` tells the two apart.
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t least, std::int64_t most,
                                      bool* is_there = nullptr) {
    known_.push_back(name);
    const boost::json::value* value = object_.if_contains(name);
    if (is_there != nullptr) *is_there = value != nullptr;
    if (value == nullptr || value->is_null()) return {};
    if (!value->is_int64() || value->as_int64() < least || value->as_int64() > most) {
      fail("`" + std::string(name) + "` must be a whole number from " + std::to_string(least) + " to " +
           std::to_string(most) + ", or null");
      return {};
    }
    return value->as_int64();
  }
  std::string object_text(std::string_view name) {
    const boost::json::value* value = take(name);
    if (value == nullptr) return {};
    if (!value->is_object()) fail("`" + std::string(name) + "` must be an object");
    return boost::json::serialize(*value);
  }
  void refuse_other_fields() {
    for (const auto& member : object_) {
      bool is_known = false;
      for (const std::string_view each : known_)
        is_known = is_known || each == std::string_view(member.key());
      if (!is_known) return fail("`" + std::string(member.key()) + "` is not a field of this request");
    }
  }
  const std::optional<std::string>& error() const { return error_; }
  int error_status() const { return wrong_type_ ? 415 : 400; }

 private:
  const boost::json::value* take(std::string_view name) {
    known_.push_back(name);
    const boost::json::value* value = object_.if_contains(name);
    return value != nullptr && !value->is_null() ? value : nullptr;
  }
  void fail(std::string why) {
    if (!error_) error_ = std::move(why) + ".";
  }

  boost::json::object object_;
  std::vector<std::string_view> known_;
  std::optional<std::string> error_;
  bool wrong_type_ = false;
};

}  // namespace vas::api
