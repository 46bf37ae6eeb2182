#include "vas/api/schema.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/text.h"

namespace vas::api {
namespace {

namespace json = boost::json;

// std::regex recurses once a character: what it is given must be short.
constexpr std::size_t kMaxPatternedLength = 2048;
constexpr std::string_view kRefPrefix = "#/components/";

std::string text_of(const json::value& value) { return std::string(value.as_string()); }

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string quoted(const std::string& name) { return name.empty() ? "The body" : "`" + name + "`"; }

std::string inside(const std::string& name, std::string_view member) {
  return name.empty() ? std::string(member) : name + "." + std::string(member);
}

std::size_t size_of(const json::value& value) { return static_cast<std::size_t>(value.as_int64()); }

}  // namespace

const json::object& resolved(const json::object& definition, const json::object& document) {
  const json::value* reference = definition.if_contains("$ref");
  if (reference == nullptr) return definition;
  const std::string_view path(reference->as_string());
  VAS_CHECK(path.starts_with(kRefPrefix), "the document's references lead to its components");
  const std::string_view rest = path.substr(kRefPrefix.size());
  const auto slash = rest.find('/');
  const json::value* group = document.at("components").as_object().if_contains(rest.substr(0, slash));
  const json::value* target =
      group != nullptr ? group->as_object().if_contains(rest.substr(slash + 1)) : nullptr;
  VAS_CHECK(target != nullptr, "each reference of the document leads somewhere");
  return target->as_object();
}

Schema::Schema(const json::object& definition, const json::object& document) {
  for (const auto& [key, value] : resolved(definition, document)) {
    if (key == "type") {
      if (value.is_string()) {
        types_ = {text_of(value)};
      } else {
        for (const json::value& each : value.as_array()) types_.push_back(text_of(each));
      }
    } else if (key == "enum") {
      for (const json::value& each : value.as_array()) choices_.push_back(text_of(each));
    } else if (key == "minimum") {
      minimum_ = value.as_int64();
    } else if (key == "maximum") {
      maximum_ = value.as_int64();
    } else if (key == "minLength") {
      min_length_ = size_of(value);
    } else if (key == "maxLength") {
      max_length_ = size_of(value);
    } else if (key == "pattern") {
      pattern_.emplace(text_of(value), std::regex::ECMAScript | std::regex::optimize);
    } else if (key == "items") {
      items_ = std::make_unique<Schema>(value.as_object(), document);
    } else if (key == "maxItems") {
      max_items_ = size_of(value);
    } else if (key == "properties") {
      for (const auto& [name, each] : value.as_object())
        properties_.emplace(std::string(name), Schema(each.as_object(), document));
    } else if (key == "required") {
      for (const json::value& each : value.as_array()) required_.push_back(text_of(each));
    } else if (key == "additionalProperties") {
      accepts_other_properties_ = value.as_bool();
    } else if (key == "description") {
      description_ = text_of(value);
    } else {
      VAS_CHECK(key == "default" || key == "examples" || key == "format" || key == "readOnly",
                "the document uses only what is checked here");
    }
  }
  VAS_CHECK(!pattern_ || max_length_ <= kMaxPatternedLength, "a pattern comes with a length");
}

bool Schema::accepts(std::string_view type) const {
  return types_.empty() || std::find(types_.begin(), types_.end(), type) != types_.end();
}

bool Schema::accepts_type_of(const json::value& value) const {
  switch (value.kind()) {
    case json::kind::null: return accepts("null");
    case json::kind::bool_: return accepts("boolean");
    case json::kind::int64: return accepts("integer") || accepts("number");
    case json::kind::uint64:
    case json::kind::double_: return accepts("number");
    case json::kind::string: return accepts("string");
    case json::kind::array: return accepts("array");
    case json::kind::object: return accepts("object");
  }
  return false;
}

std::optional<std::string> Schema::fault_of(const json::value& value, const std::string& name) const {
  const std::string wrong = quoted(name) + " must be " + describe() + ".";
  if (!accepts_type_of(value)) return wrong;
  if (value.is_int64()) {
    const std::int64_t number = value.as_int64();
    const bool is_within = number >= minimum_.value_or(number) && number <= maximum_.value_or(number);
    return is_within ? std::nullopt : std::optional(wrong);
  }
  if (value.is_string()) {
    const auto fault = fault_of_text(std::string_view(value.as_string()));
    return fault ? std::optional(quoted(name) + " " + *fault + ": it must be " + describe() + ".")
                 : std::nullopt;
  }
  if (value.is_array()) return fault_of_list(value.as_array(), name);
  if (value.is_object()) return fault_of_object(value.as_object(), name);
  return {};
}

std::optional<std::string> Schema::fault_of_text(std::string_view text) const {
  if (!choices_.empty() && std::find(choices_.begin(), choices_.end(), text) == choices_.end())
    return "is none of the words that it may be";
  if (text.size() > 4 * max_length_ || characters_in(text) > max_length_) return "is too long";
  if (characters_in(text) < min_length_) return text.empty() ? "is empty" : "is too short";
  if (pattern_ && !std::regex_match(text.begin(), text.end(), *pattern_))
    return "has characters that do not belong in it";
  return {};
}

std::optional<std::string> Schema::fault_of_list(const json::array& list, const std::string& name) const {
  if (list.size() > max_items_)
    return fmt::format("{} has {} elements: it may have up to {}.", quoted(name), list.size(), max_items_);
  for (std::size_t i = 0; items_ && i < list.size(); ++i) {
    if (auto fault = items_->fault_of(list[i], fmt::format("{}[{}]", name, i))) return fault;
  }
  return {};
}

std::optional<std::string> Schema::fault_of_object(const json::object& object,
                                                   const std::string& name) const {
  for (const std::string& each : required_) {
    if (!object.contains(each)) return "`" + inside(name, each) + "` is missing.";
  }
  for (const auto& [key, value] : object) {
    const auto known = properties_.find(std::string_view(key));
    if (known != properties_.end()) {
      if (auto fault = known->second.fault_of(value, inside(name, key))) return fault;
    } else if (!accepts_other_properties_) {
      std::vector<std::string> names;
      for (const auto& each : properties_) names.push_back("`" + each.first + "`");
      return fmt::format("`{}` is not a field of this request; those are {}.", inside(name, key),
                         names.empty() ? "none" : joined(names));
    }
  }
  return {};
}

std::string Schema::describe() const {
  std::string text;
  if (!choices_.empty()) {
    text = "one of " + joined(choices_);
  } else if (accepts("string") && !types_.empty()) {
    text = pattern_ && !description_.empty() ? description_ : "text";
    if (max_length_ != SIZE_MAX) text += fmt::format(" of {} to {} characters", min_length_, max_length_);
  } else if (accepts("integer") && !types_.empty()) {
    text = "a whole number";
    if (minimum_ && maximum_) text += fmt::format(" from {} to {}", *minimum_, *maximum_);
  } else if (types_.empty()) {
    text = "any value";
  } else {
    text = types_[0] == "boolean" ? "true or false" : types_[0] == "array" ? "a list" : "an object";
  }
  if (items_ && !types_.empty() && accepts("string"))
    text += fmt::format(", or a list of up to {} of them", max_items_);
  if (!types_.empty() && accepts("null")) text += ", or null";
  return text;
}

}  // namespace vas::api
