#include "vas/store/sealed_rows.h"

#include <boost/json.hpp>

#include "base/json.h"

namespace vas::store {
namespace {

constexpr std::string_view kSession = "session";
constexpr std::string_view kEvent = "event";

std::string place_of(directory::Kind kind) { return "directory " + std::string(to_string(kind)); }
std::string place_of_setting(std::string_view name) { return "setting " + std::string(name); }

}  // namespace

std::string SealedRows::body_of(const sessions::Session& session) const {
  return sealer_.seal(to_store_json(session), kSession);
}

std::string SealedRows::body_of(const webhooks::Event& event) const {
  const boost::json::object whole{
      {"id", event.id}, {"token", event.token}, {"url", event.url}, {"body", event.body}};
  return sealer_.seal(boost::json::serialize(whole), kEvent);
}

std::string SealedRows::body_of(const directory::Entry& entry) const {
  return sealer_.seal(to_store_json(entry), place_of(kind_of(entry)));
}

std::string SealedRows::setting(std::string_view name, std::string_view value) const {
  return sealer_.seal(value, place_of_setting(name));
}

std::optional<sessions::Session> SealedRows::session(std::string_view body) const {
  const auto text = sealer_.open(body, kSession);
  return text ? sessions::parse_store_json(*text) : std::nullopt;
}

bool SealedRows::fill(webhooks::Event& event, std::string_view body) const {
  const auto text = sealer_.open(body, kEvent);
  const auto whole = text ? parse_object(*text) : std::nullopt;
  if (!whole) return false;
  event.id = text_field(*whole, "id");
  event.token = text_field(*whole, "token");
  event.url = text_field(*whole, "url");
  event.body = text_field(*whole, "body");
  return true;
}

Result<directory::Entry> SealedRows::entry(directory::Kind kind, std::string_view body) const {
  const auto text = sealer_.open(body, place_of(kind));
  if (!text) return Error{"it was changed, or sealed with another key"};
  return directory::parse_entry(kind, *text);
}

std::optional<std::string> SealedRows::read_setting(std::string_view name, std::string_view sealed) const {
  return sealer_.open(sealed, place_of_setting(name));
}

}  // namespace vas::store
