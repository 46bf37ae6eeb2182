// What vas gives up before it opens anything: root's uid, and the capabilities that it has no use for.
#pragma once

#include "base/capabilities.h"
#include "vas/app/config.h"

namespace vas::app {

// What this configuration needs while it starts: to load and attach the kernel's relay, for frames, for ports
// below 1024.
Capabilities needed_at_start(const Config& config);

// What is left of them when the media plane stands: the kernel's relay is attached to interfaces that come
// later, and to ports that are opened later belongs what was configured.
Capabilities needed_for_life(const Config& config);

// Before there are threads; once. As root: becomes `user`, whom the data folder is given to. Where no user
// was asked for and the default one could not work, uid 0 is kept, without what makes it root, and that is
// logged. In any case: no capability but those needed, no new ones by any program, no core dump (it would
// hold keys).
Result<bool> drop_privileges(const Config& config);

// Keeps of the calling thread's capabilities, and of those made by it, what the running server needs.
void finish_start_privileges(const Config& config);

}  // namespace vas::app
