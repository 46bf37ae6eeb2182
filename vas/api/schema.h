// Checks JSON against the definitions of the OpenAPI document, and says in a sentence what is wrong.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace vas::api {

// The part of JSON Schema (2020-12) that the document uses: type, enum, minimum, maximum, minLength,
// maxLength, pattern, items, maxItems, properties, required, additionalProperties, $ref. A keyword outside of
// it stops the program at start, so that none is ever silently ignored.
//
// Threads: any, once compiled.
class Schema {
 public:
  // `document` is where $ref leads to.
  Schema(const boost::json::object& definition, const boost::json::object& document);

  // Nothing for a good value. `name` is what the sentence calls it; empty for the body itself.
  std::optional<std::string> fault_of(const boost::json::value& value, const std::string& name) const;
  // "a whole number from 1 to 86400, or null"
  std::string describe() const;
  bool accepts(std::string_view type) const;

 private:
  std::optional<std::string> fault_of_text(std::string_view text) const;
  std::optional<std::string> fault_of_list(const boost::json::array& list, const std::string& name) const;
  std::optional<std::string> fault_of_object(const boost::json::object& object,
                                             const std::string& name) const;
  bool accepts_type_of(const boost::json::value& value) const;

  std::vector<std::string> types_;  // empty: any
  std::vector<std::string> choices_;
  std::optional<std::int64_t> minimum_, maximum_;
  std::size_t min_length_ = 0, max_length_ = SIZE_MAX;
  std::optional<std::regex> pattern_;
  std::string description_;
  std::unique_ptr<Schema> items_;
  std::size_t max_items_ = SIZE_MAX;
  std::map<std::string, Schema, std::less<>> properties_;
  std::vector<std::string> required_;
  bool accepts_other_properties_ = true;
};

// What a "$ref" of the document names, or the definition itself.
const boost::json::object& resolved(const boost::json::object& definition,
                                    const boost::json::object& document);

}  // namespace vas::api
