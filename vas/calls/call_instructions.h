// What a domain's call routing application says shall become of a call. (docs/api.md)
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "vas/calls/call_action.h"

namespace vas::calls {

struct CallInstructions {
  BackendReplied what;
  std::string session;  // park: under this token, which the application made; empty: under the call's own
};

// {"action": "park" [, "session": TOKEN]}, {"action": "reject" [, "code": 486]} or {"action": "route",
// "routing": {…}}. Nothing at all parks. The error names the field.
Result<CallInstructions> parse_call_instructions(std::string_view json_text);

}  // namespace vas::calls
