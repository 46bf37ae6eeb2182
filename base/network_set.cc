#include "base/network_set.h"

#include <algorithm>
#include <string_view>

namespace vas {
namespace {

// The first `bits` of it, zeros behind.
IpAddress masked(IpAddress address, int bits) {
  for (std::uint8_t& byte : address.bytes) {
    const int kept = std::clamp(bits, 0, 8);
    byte = static_cast<std::uint8_t>(byte & (0xff00 >> kept));
    bits -= kept;
  }
  return address;
}

}  // namespace

std::size_t NetworkSet::Hash::operator()(const IpAddress& address) const {
  return std::hash<std::string_view>{}(
      {reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size()});
}

void NetworkSet::add(const Network& network) {
  by_length_[{network.address.family, network.prefix_bits}].insert(
      masked(network.address, network.prefix_bits));
}

bool NetworkSet::contains(const IpAddress& address) const {
  return std::any_of(by_length_.begin(), by_length_.end(), [&](const auto& each) {
    const auto& [family, bits] = each.first;
    return family == address.family && each.second.contains(masked(address, bits));
  });
}

}  // namespace vas
