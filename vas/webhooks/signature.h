// Standard Webhooks: how a backend knows that a callback is ours.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vas::webhooks {

// Value of `webhook-signature`: for each secret, in order, "v1," and base64 of HMAC-SHA256 over
// "id.timestamp.body", with blanks between. The key is what follows "whsec_", decoded; of any other secret,
// and of one whose base64 is none, the secret itself, byte by byte. Empty where there is no secret.
std::string signatures(const std::vector<std::string>& secrets, std::string_view id,
                       std::string_view timestamp, std::string_view body);

// Why receivers could not read `secret` as we do, as the end of a sentence that begins with its field's name.
std::optional<std::string> fault_of_secret(std::string_view secret);

}  // namespace vas::webhooks
