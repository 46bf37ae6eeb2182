// What of a SIP message is not for those who read traces.
#pragma once

#include <string>
#include <string_view>

namespace vas::signaling {

// `text` with session tokens cut to the hint that logs show, and digest responses, other credentials and
// media keys blotted out, however they are spelled, escaped or folded; as long as it was. `token`: the
// session's own, which is cut wherever it stands.
std::string without_secrets(std::string_view text, std::string_view token = {});

}  // namespace vas::signaling
