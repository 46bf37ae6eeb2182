#include "bridge/io/packet_io.h"

#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <array>

#include "bridge/io/epoll_io.h"
#include "bridge/io/uring_io.h"

namespace vas::bridge {

Result<std::unique_ptr<PacketIo>> make_packet_io(PacketIoKind kind, int wake_descriptor,
                                                 std::string& why_not) {
  if (kind != PacketIoKind::kEpoll) {
    auto uring = UringIo::open(wake_descriptor);
    if (uring) return std::unique_ptr<PacketIo>(std::move(*uring));
    if (kind == PacketIoKind::kUring) return Error{uring.error()};
    why_not = uring.error();
  }
  return std::unique_ptr<PacketIo>(std::make_unique<EpollIo>(wake_descriptor));
}

std::uint32_t dropped_by_kernel(int descriptor) {
  std::array<std::uint32_t, SK_MEMINFO_VARS> figures{};
  socklen_t bytes = sizeof figures;
  if (getsockopt(descriptor, SOL_SOCKET, SO_MEMINFO, figures.data(), &bytes) != 0) return 0;
  return figures[SK_MEMINFO_DROPS];
}

}  // namespace vas::bridge
