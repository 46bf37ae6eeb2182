// Socket options that take more than one call.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>

namespace vas {

struct TcpKeepAlive {
  std::chrono::seconds idle;     // then a probe
  std::chrono::seconds between;  // probes
  int probes;                    // without an acknowledgement; then the connection is broken
};

inline void keep_alive(int descriptor, const TcpKeepAlive& how) {
  const int on = 1, idle = static_cast<int>(how.idle.count()),
            between = static_cast<int>(how.between.count());
  setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof between);
  setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPCNT, &how.probes, sizeof how.probes);
}

// As large as asked for where we may (CAP_NET_ADMIN), otherwise up to net.core.rmem_max.
inline void ask_for_receive_buffer(int descriptor, int bytes) {
  if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) == 0) return;
  setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

}  // namespace vas
