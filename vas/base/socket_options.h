// Socket options that take more than one call.
#pragma once

#include <sys/socket.h>

namespace vas {

// As large as asked for where we may (CAP_NET_ADMIN), otherwise up to net.core.rmem_max.
inline void ask_for_receive_buffer(int descriptor, int bytes) {
  if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) == 0) return;
  setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

}  // namespace vas
