// How a media worker's datagrams come and go: by io_uring, or by epoll where that is refused.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/result.h"
#include "base/time.h"
#include "bridge/io/packet_ttl.h"
#include "media/rtp/packet_buffer.h"

namespace vas::bridge {

using SocketId =
    std::uint32_t;  // the worker's own small number of a socket; may be used again after remove()

// Who gets what comes in.
class PacketSink {
 public:
  // `datagram` may be rewritten in place, grow into the room behind it, and be sent until the call returns.
  virtual void on_datagram(SocketId socket, const Endpoint& source, Ttl ttl,
                           media::PacketBuffer datagram) = 0;
  // One came that is larger than what is read (kLargestDatagram, about): its rest is gone, so it is no use.
  virtual void on_oversized(SocketId socket, const Endpoint& source) = 0;
  // Whether the wake descriptor is readable, or about to be. Asked of each datagram once it is read and
  // before it is handed over: whatever the waker had said before it was sent is heard first.
  virtual bool has_news() const = 0;
  // The waker is to be heard. Sockets may be added and removed in it; what came in at one that is removed is
  // not handed over.
  virtual void on_woken() = 0;

 protected:
  ~PacketSink() = default;
};

// Under load both kinds wait a moment for more packets before they wake the worker (kGather): one wake-up and
// one system call then serve many packets. An idle worker wakes for each.
//
// Threads: one media worker, which also makes it.
// Bounds:  the sockets' small receive buffers;
//          what does not fit is dropped by the kernel and counted (dropped()).
class PacketIo {
 public:
  // Less than anybody hears, and a dozen packets at 50,000 a second.
  static constexpr Duration kGather = std::chrono::microseconds(250);
  static constexpr std::size_t kGatherFrom = 4;     // packets in the turn before
  static constexpr std::size_t kGatherAtMost = 32;  // as many are worth a turn of their own
  // What is left of a buffer of 2048 bytes: io_uring puts its header and the sender's address in front, and
  // SRTP takes room behind.
  static constexpr std::size_t kLargestDatagram = 2048 - 96;

  virtual ~PacketIo() = default;
  virtual const char* name() const = 0;

  // `descriptor` is borrowed until remove(). `at_once`: how many datagrams are read from it in one turn of
  // epoll, so that a flood at one socket does not starve the others; io_uring has its buffers for that. False
  // when it cannot be watched: no memory or no room for it.
  virtual bool add(SocketId socket, int descriptor, unsigned at_once) = 0;
  virtual void remove(SocketId socket) = 0;

  // Sends what was given to send(), then hands over what has come in; waits for it, `longest` at most or
  // until the wake descriptor is readable.
  virtual void turn(Duration longest, PacketSink& sink) = 0;

  // `bytes` are borrowed until the current on_datagram() returns, or copied outside of one. A datagram that
  // the kernel does not take is lost, like any other.
  virtual void send(SocketId socket, const Endpoint& to, Ttl ttl, Bytes bytes) = 0;

  // What was given to send() is on its way when it returns.
  virtual void flush() = 0;
};

enum class PacketIoKind { kAuto, kUring, kEpoll };

// `wake_descriptor` is borrowed for its whole life. kAuto: io_uring, or epoll with the reason in `why_not`.
Result<std::unique_ptr<PacketIo>> make_packet_io(PacketIoKind kind, int wake_descriptor,
                                                 std::string& why_not);

// Datagrams that did not fit into the socket's receive buffer since it was opened.
std::uint32_t dropped_by_kernel(int descriptor);

}  // namespace vas::bridge
