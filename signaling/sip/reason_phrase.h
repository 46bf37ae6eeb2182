// What stands behind a status code, for people. (RFC 3261 §21, and IANA's registry of response codes)
#pragma once

namespace vas::signaling {

// The one table of them. Of a code that nobody registered: what its class means (RFC 3261 §8.1.3.2). Never
// null. Lifetime: a literal. Threads: any.
const char* reason_phrase(int status);

}  // namespace vas::signaling
