#include "vas/directory/fields.h"

#include <algorithm>

#include "base/text.h"

namespace vas::directory {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostSecrets = 4;          // of a domain, while receivers change from one to the next
constexpr std::size_t kMostUnknownFields = 256;  // that are looked at for a slip of the pen

}  // namespace

Fields::Fields(const json::value& value, std::string where) : where_(std::move(where)) {
  if (!value.is_object()) throw Wrong(where_ + " is not an object");
  object_ = &value.as_object();
}

const json::value* Fields::field(std::string_view name) {
  known_.push_back(name);
  const json::value* value = object_->if_contains(name);
  return value != nullptr && !value->is_null() ? value : nullptr;
}

std::string Fields::text(std::string_view name, std::string fallback) {
  const json::value* value = field(name);
  if (value == nullptr) return fallback;
  if (!value->is_string()) throw wrong(name, "is not a string");
  if (has_control_characters(std::string_view(value->as_string())))
    throw wrong(name, "has control characters");
  return std::string(value->as_string());
}

std::string Fields::required_text(std::string_view name) {
  std::string value = text(name);
  if (value.empty()) throw wrong(name, "is missing");
  return value;
}

std::int64_t Fields::number(std::string_view name, std::optional<std::int64_t> fallback) {
  const json::value* value = field(name);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr) throw wrong(name, "is missing");
  if (!value->is_int64()) throw wrong(name, "is not a whole number");
  return value->as_int64();
}

bool Fields::flag(std::string_view name, bool fallback) {
  const json::value* value = field(name);
  if (value == nullptr) return fallback;
  if (!value->is_bool()) throw wrong(name, "is not true or false");
  return value->as_bool();
}

std::vector<std::string> Fields::texts(std::string_view name) {
  const json::value* value = field(name);
  if (value == nullptr) return {};
  if (!value->is_array()) throw wrong(name, "is not a list of strings");
  std::vector<std::string> all;
  for (const json::value& each : value->as_array()) {
    if (!each.is_string()) throw wrong(name, "is not a list of strings");
    if (has_control_characters(std::string_view(each.as_string())))
      throw wrong(name, "has control characters");
    all.emplace_back(each.as_string());
  }
  return all;
}

void Fields::refuse_other_fields() const {
  for (const auto& member : *object_) {
    if (std::find(known_.begin(), known_.end(), std::string_view(member.key())) == known_.end()) {
      throw wrong(member.key(), "is not known");
    }
  }
}

std::vector<Misspelling> Fields::misspelt() const {
  std::vector<Misspelling> all;
  std::size_t unknown = 0;
  for (const auto& member : *object_) {
    const std::string_view name = member.key();
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    if (++unknown > kMostUnknownFields) break;
    if (const auto meant = name_meant(name, known_)) all.push_back({std::string(name), std::string(*meant)});
  }
  return all;
}

Wrong Fields::wrong(std::string_view name, std::string_view what) const {
  return Wrong((where_.empty() ? "" : where_ + ": ") + "`" + std::string(name) + "` " + std::string(what));
}

std::string http_url_of(Fields& entry, std::string_view name) {
  std::string url = entry.text(name);
  if (!url.empty() && !url.starts_with("http://") && !url.starts_with("https://"))
    throw entry.wrong(name, "is no http or https URL");
  return url;
}

std::vector<std::string> secrets_of(Fields& entry, std::string_view name) {
  const json::value* value = entry.field(name);
  if (value == nullptr || !value->is_array()) {
    std::string only = entry.text(name);
    return only.empty() ? std::vector<std::string>{} : std::vector{std::move(only)};
  }
  std::vector<std::string> all = entry.texts(name);
  const bool has_empty = std::any_of(all.begin(), all.end(), [](const auto& each) { return each.empty(); });
  if (has_empty || all.size() > kMostSecrets)
    throw entry.wrong(name, fmt::format("is no text and no list of up to {} of them", kMostSecrets));
  return all;
}

std::optional<Duration> seconds_of(Fields& entry, std::string_view name, std::int64_t most) {
  if (entry.field(name) == nullptr) return {};
  const std::int64_t value = entry.number(name);
  if (value < 1 || value > most) throw entry.wrong(name, fmt::format("is not within 1 to {} seconds", most));
  return std::chrono::seconds(value);
}

std::int64_t within(Fields& entry, std::string_view name, std::int64_t fallback, std::int64_t least,
                    std::int64_t most) {
  const std::int64_t value = entry.number(name, fallback);
  if (value < least || value > most)
    throw entry.wrong(name, fmt::format("is not within {} to {}", least, most));
  return value;
}

}  // namespace vas::directory
