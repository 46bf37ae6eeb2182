// The unit in which addresses of the network are counted.
#pragma once

#include <algorithm>
#include <functional>
#include <string_view>

#include "base/endpoint.h"

namespace vas {

// An IPv4 address, or an IPv6 /64, whose holder has all of it.
inline IpAddress source_block(IpAddress address) {
  if (address.family == AddressFamily::kIpv6)
    std::fill(address.bytes.begin() + 8, address.bytes.end(), std::uint8_t{0});
  return address;
}

struct IpAddressHash {
  std::size_t operator()(const IpAddress& address) const {
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size()});
  }
};

}  // namespace vas
