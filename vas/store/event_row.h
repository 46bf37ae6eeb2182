// How a callback stands in the table `events`.
#pragma once

#include <soci/soci.h>

#include <optional>

#include "vas/store/sealed_rows.h"
#include "vas/webhooks/event.h"

namespace vas::store {

inline constexpr const char* kEventColumns =
    "id, token, number, domain_id, url, body, created_at, tries, next_try_at, last_error";

// As earlier versions of the schema held it: in the clear.
inline webhooks::Event plain_event_of(const soci::row& row) {
  const auto wall_time = [&row](std::size_t column) {
    return WallTime(std::chrono::milliseconds(row.get<long long>(column)));
  };
  return {.id = row.get<std::string>(0),
          .token = row.get<std::string>(1),
          .number = row.get<long long>(2),
          .domain_id = row.get<long long>(3),
          .url = row.get<std::string>(4),
          .body = row.get<std::string>(5),
          .created_at = wall_time(6),
          .tries = row.get<int>(7),
          .next_try_at = wall_time(8),
          .last_error = row.get<std::string>(9)};
}

// Nothing where its body cannot be opened.
inline std::optional<webhooks::Event> event_of(const soci::row& row, const SealedRows& rows) {
  webhooks::Event event = plain_event_of(row);
  if (!rows.fill(event, std::string(event.body))) return {};
  return event;
}

}  // namespace vas::store
