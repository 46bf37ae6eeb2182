// Whose request it is, where a proxy of ours stands in between.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/endpoint.h"

namespace vas::api {

// The address that a request is counted against: the peer's, or, where that is one of `proxies`, the last of
// `forwarded_for` (X-Forwarded-For: each proxy appends whom it heard) that is no proxy itself. Nothing: a
// proxy, or the host itself, speaks for nobody in particular.
std::optional<IpAddress> client_of(const IpAddress& peer, std::string_view forwarded_for,
                                   const std::vector<Network>& proxies);

bool is_proxy(const IpAddress& peer, const std::vector<Network>& proxies);

}  // namespace vas::api
