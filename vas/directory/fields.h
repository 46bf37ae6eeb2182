// Reading entries of the directory from JSON, field by field.
#pragma once

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "signaling/sdp/media_policy.h"
#include "vas/directory/misspelling.h"

namespace vas::directory {

// Thrown while an entry is read; directory_json.cc makes an Error of it.
struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Reads the fields of one entry, naming it in every complaint.
class Fields {
 public:
  Fields(const boost::json::value& value, std::string where);

  const boost::json::value* field(std::string_view name);
  std::string text(std::string_view name, std::string fallback = {});
  std::string required_text(std::string_view name);
  std::int64_t number(std::string_view name, std::optional<std::int64_t> fallback = {});
  bool flag(std::string_view name, bool fallback);
  std::vector<std::string> texts(std::string_view name);
  void refuse_other_fields() const;
  // Of those that nobody asked for, who would have been asked for under another name.
  std::vector<Misspelling> misspelt() const;
  Wrong wrong(std::string_view name, std::string_view what) const;

 private:
  const boost::json::object* object_ = nullptr;
  std::string where_;
  std::vector<std::string_view> known_;
};

std::string http_url_of(Fields& entry, std::string_view name);

// One text, or a list of them: of several, the first that is used is the newest.
std::vector<std::string> secrets_of(Fields& entry, std::string_view name);

std::optional<Duration> seconds_of(Fields& entry, std::string_view name, std::int64_t most = 86400);

// Nothing where it is not said.
template <typename Enumeration, typename Names>
std::optional<Enumeration> one_of(Fields& entry, std::string_view name, const Names& names) {
  const std::string value = entry.text(name);
  if (value.empty()) return {};
  const auto found = named<Enumeration>(names, value);
  if (!found) throw entry.wrong(name, fmt::format("is none of {}", fmt::join(names, ", ")));
  return found;
}

std::int64_t within(Fields& entry, std::string_view name, std::int64_t fallback, std::int64_t least,
                    std::int64_t most);

}  // namespace vas::directory
