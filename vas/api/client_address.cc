#include "vas/api/client_address.h"

#include <algorithm>

#include "base/text.h"

namespace vas::api {

bool is_proxy(const IpAddress& peer, const std::vector<Network>& proxies) {
  return std::any_of(proxies.begin(), proxies.end(),
                     [&](const Network& each) { return each.contains(peer); });
}

std::optional<IpAddress> client_of(const IpAddress& peer, std::string_view forwarded_for,
                                   const std::vector<Network>& proxies) {
  if (!is_proxy(peer, proxies)) return peer;
  const auto hops = split(forwarded_for, ',');
  for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
    const std::string_view text = trim(*hop);
    if (text.empty()) continue;
    auto address = IpAddress::parse(text);
    if (const auto with_port = Endpoint::parse(text); !address && with_port) address = with_port->address;
    if (!address) return peer;  // a proxy that names no address: it is counted itself
    if (!is_proxy(*address, proxies)) return address;
  }
  return {};
}

}  // namespace vas::api
