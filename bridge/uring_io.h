// Packet I/O by io_uring: multishot receives into a ring of buffers, sends out of the same buffers in
// batches. (Linux 6.1 or later)
#pragma once

#include <liburing.h>

#include <array>
#include <vector>

#include "bridge/packet_io.h"
#include "media/dtls_session.h"

namespace vas::bridge {

// A datagram is never copied: it is rewritten where it was received and sent from there. Its buffer goes back
// to the kernel when the send has been submitted, for a UDP send is done by then (MSG_DONTWAIT).
//
// Bounds: kBuffers datagrams between two turns; the rest waits in the sockets.
class UringIo final : public PacketIo {
 public:
  static Result<std::unique_ptr<UringIo>> open(int wake_descriptor);
  ~UringIo() override;
  UringIo(const UringIo&) = delete;
  UringIo& operator=(const UringIo&) = delete;

  const char* name() const override { return "io_uring"; }
  bool add(SocketId socket, int descriptor, unsigned at_once) override;
  void remove(SocketId socket) override;
  void turn(Duration longest, PacketSink& sink) override;
  void send(SocketId socket, const Endpoint& to, Ttl ttl, Bytes bytes) override;
  void flush() override { submit(); }

 private:
  static constexpr unsigned kEntries = 1024;
  static constexpr unsigned kBuffers = 1024;
  static constexpr std::size_t kBufferBytes = 2048;
  // Of bytes that are not in a received buffer: reports, answers to checks, handshakes.
  static constexpr unsigned kCopies = 64;
  static constexpr std::size_t kLargestCopy = media::DtlsSession::kMaxDatagram;

  struct Slot {
    std::uint32_t turn = 0;  // how often it was used: tells a late completion from one of today's
    bool is_open = false;
  };

  explicit UringIo(int wake_descriptor) : wake_descriptor_(wake_descriptor) {}
  std::optional<Error> start();  // nothing when all is well
  bool set_up_buffers();
  // What a send with a TTL of its own needs until it is submitted.
  struct Labelled {
    msghdr message{};
    iovec payload{};
    alignas(cmsghdr) std::array<std::uint8_t, kTtlControlBytes> control{};
  };
  void close_sockets();
  io_uring_sqe* next_entry();
  void arm_wake();
  void arm(SocketId socket);
  void submit();
  void on_submitted();
  void complete(const io_uring_cqe& completion, PacketSink& sink);
  void receive(SocketId socket, std::uint16_t buffer, std::size_t bytes, PacketSink& sink);
  std::uint8_t* buffer_at(std::uint16_t index) { return buffers_.data() + index * kBufferBytes; }
  void give_back(std::uint16_t buffer);

  // Borrowed.
  const int wake_descriptor_;

  // Owned.
  io_uring ring_{};
  bool is_ring_open_ = false;
  io_uring_buf_ring* buffer_ring_ = nullptr;
  std::vector<std::uint8_t> buffers_;
  std::vector<sockaddr_storage> addresses_;  // of the sends since the last submit
  std::vector<Labelled> labelled_;           // beside them
  std::vector<std::array<std::uint8_t, kLargestCopy>> copies_;

  // State.
  std::vector<Slot> slots_;
  std::vector<std::uint16_t> sending_;  // buffers whose sends wait for the submit
  std::vector<SocketId> unarmed_;       // whose receive ended for want of buffers
  std::size_t addresses_used_ = 0;
  std::size_t copies_used_ = 0;
  msghdr shape_{};        // of every receive: room for the source's address and the TTL
  MutableBytes current_;  // the datagram that is being handed over, and the room behind it
  bool is_current_sent_ = false;
  std::size_t last_count_ = 0;
};

}  // namespace vas::bridge
