#include "bridge/plane/media_socket.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <unistd.h>

#include <cerrno>

#include "bridge/worker/media_worker.h"

namespace vas::bridge {

void set_media_options(int descriptor, AddressFamily family, PortUse use) {
  const bool is_shared = use == PortUse::kShared;
  const int receive_bytes =
      is_shared ? MediaWorker::kSharedReceiveBufferBytes : MediaWorker::kReceiveBufferBytes;
  // Beyond the system's limit (net.core.rmem_max) with privilege only.
  if (!is_shared ||
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof receive_bytes) != 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
  if (family == AddressFamily::kIpv4) {
    setsockopt(descriptor, IPPROTO_IP, IP_TOS, &kTosExpeditedForwarding, sizeof kTosExpeditedForwarding);
  } else {
    setsockopt(descriptor, IPPROTO_IPV6, IPV6_TCLASS, &kTosExpeditedForwarding,
               sizeof kTosExpeditedForwarding);
  }
  set_ttl_options(descriptor, family);
}

int bind_udp(const Endpoint& local, PortUse use) {
  sockaddr_storage address{};
  const socklen_t length = local.to_sockaddr(address);
  const int descriptor = socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  set_media_options(descriptor, local.address.family, use);
  if (bind(descriptor, reinterpret_cast<sockaddr*>(&address), length) == 0) return descriptor;
  const int reason = errno;
  ::close(descriptor);
  errno = reason;
  return -1;
}

}  // namespace vas::bridge
