// Standard Webhooks: how a backend knows that a callback is ours.
#pragma once

#include <string>
#include <string_view>

namespace vas::webhooks {

// Value of `webhook-signature`: "v1," and base64 of HMAC-SHA256 over "id.timestamp.body".
std::string signature(std::string_view secret, std::string_view id, std::string_view timestamp,
                      std::string_view body);

}  // namespace vas::webhooks
