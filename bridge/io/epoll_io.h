// Packet I/O by epoll: a read or few a ready socket and turn, each datagram sent at once.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <vector>

#include "base/thread_check.h"
#include "bridge/io/packet_io.h"
#include "media/srtp/srtp_session.h"

namespace vas::bridge {

class EpollIo final : public PacketIo {
 public:
  explicit EpollIo(int wake_descriptor);
  ~EpollIo() override;
  EpollIo(const EpollIo&) = delete;
  EpollIo& operator=(const EpollIo&) = delete;

  const char* name() const override { return "epoll"; }
  bool add(SocketId socket, int descriptor, unsigned at_once) override;
  void remove(SocketId socket) override;
  void turn(Duration longest, PacketSink& sink) override;
  void send(SocketId socket, const Endpoint& to, Ttl ttl, Bytes bytes) override;
  void flush() override {}  // nothing waits

 private:
  struct Watched {
    int descriptor = -1;
    unsigned at_once = 0;
    unsigned turn = 0;  // how often the place was given up: what came in before is not the next one's
  };
  void send_with_ttl(SocketId socket, iovec to, AddressFamily family, Ttl ttl, Bytes bytes);
  bool receive(SocketId socket, PacketSink& sink);  // false: there was nothing

  const int epoll_;
  std::vector<Watched> watched_;  // by socket
  std::array<epoll_event, 512> ready_{};
  std::array<std::uint8_t, kLargestDatagram + media::kSrtpMaxRoom> buffer_{};
  std::size_t last_count_ = 0;
  ThreadCheck thread_check_{"EpollIo"};
};

}  // namespace vas::bridge
