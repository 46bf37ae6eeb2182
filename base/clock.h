// The two clocks, for the edge of the program only.
#pragma once

#include <string>

#include "base/time.h"

namespace vas {

Time monotonic_now();
WallTime wall_now();
// The wall clock as it was at start, plus what the monotonic clock says since: no step of the system's clock
// moves it. For what is to last so many seconds, in the process and past its end.
WallTime steady_wall_now();

// RFC 3339 with milliseconds in UTC: 2026-11-22T06:08:00.123Z
std::string to_rfc3339(WallTime time);
// As HTTP has it, RFC 9110 §5.6.7: Sun, 22 Nov 2026 06:08:00 GMT
std::string to_http_date(WallTime time);

}  // namespace vas
