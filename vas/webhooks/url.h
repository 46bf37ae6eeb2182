// What may be called back.
#pragma once

#include <optional>
#include <string>

#include "vas/webhooks/address_guard.h"

namespace vas::webhooks {

// Why `url` cannot be called back, as the end of a sentence that begins with its field's name; nothing for a
// good one: http or https, with a host, and no address that `guard` forbids.
// Names are judged when they are resolved.
std::optional<std::string> fault_of_url(const std::string& url, const AddressGuard& guard);

// Where a good URL leads: its host as DNS knows it (A-labels), without brackets; its port.
struct UrlHost {
  std::string name;
  std::string port;
};
std::optional<UrlHost> host_of_url(const std::string& url);

}  // namespace vas::webhooks
