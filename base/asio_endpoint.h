// Between our endpoints and Asio's.
#pragma once

#include <algorithm>
#include <cstring>

#include "base/endpoint.h"

namespace vas::signaling {

template <typename AsioEndpoint>
Endpoint from_asio(const AsioEndpoint& endpoint) {
  sockaddr_storage storage{};
  std::memcpy(&storage, endpoint.data(), std::min<std::size_t>(endpoint.size(), sizeof storage));
  return Endpoint::from_sockaddr(storage).value_or(Endpoint{});
}

template <typename AsioEndpoint>
AsioEndpoint to_asio(const Endpoint& endpoint) {
  AsioEndpoint converted;
  sockaddr_storage storage{};
  const socklen_t length = endpoint.to_sockaddr(storage);
  converted.resize(length);
  std::memcpy(converted.data(), &storage, length);
  return converted;
}

}  // namespace vas::signaling
