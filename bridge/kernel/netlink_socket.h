// A socket to ask the kernel about addresses and routes, or to hear of their changes.
#pragma once

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>

namespace vas::bridge {

// `groups`: what to hear of, without waiting; 0: a socket for questions. The caller closes it. Null, with
// errno, where there is none.
inline mnl_socket* open_netlink(unsigned groups) {
  mnl_socket* socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | (groups != 0 ? SOCK_NONBLOCK : 0));
  if (socket == nullptr) return nullptr;
  if (mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) == 0) return socket;
  mnl_socket_close(socket);
  return nullptr;
}

}  // namespace vas::bridge
