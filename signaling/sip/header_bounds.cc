#include "signaling/sip/header_bounds.h"

#include <algorithm>

namespace vas::signaling {
namespace {

std::size_t count_of(std::string_view value, char c) {
  return static_cast<std::size_t>(std::count(value.begin(), value.end(), c));
}

}  // namespace

bool is_within_bounds(const SipMessage& message) {
  std::size_t vias = 0, routes = 0, record_routes = 0, contacts = 0;
  for (const HeaderField& header : message.headers) {
    const std::size_t commas = count_of(header.value, ',');
    if (commas + count_of(header.value, ';') > kMaxSeparators) return false;
    switch (header.name) {
      case HeaderName::kVia: vias += commas + 1; break;
      case HeaderName::kRoute: routes += commas + 1; break;
      case HeaderName::kRecordRoute: record_routes += commas + 1; break;
      case HeaderName::kContact: contacts += commas + 1; break;
      default: break;
    }
  }
  return vias <= kMaxVias && std::max(routes, record_routes) <= kMaxRoutes && contacts <= kMaxContacts;
}

}  // namespace vas::signaling
