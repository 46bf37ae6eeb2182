// What a worker hears of first.
#include "bridge/packet_io.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <string>

#include "tests/support/udp_socket.h"

namespace vas::bridge {
namespace {

struct Listener : PacketSink {
  void on_datagram(SocketId, const Endpoint&, Ttl, media::PacketBuffer) override { heard += "datagram "; }
  void on_oversized(SocketId, const Endpoint&) override { heard += "oversized "; }
  void on_woken() override {
    std::uint64_t count = 0;
    EXPECT_EQ(read(wake, &count, sizeof count), static_cast<ssize_t>(sizeof count));
    heard += "woken ";
  }

  int wake = eventfd(0, EFD_NONBLOCK);
  std::string heard;
};

class PacketIoTest : public testing::TestWithParam<PacketIoKind> {};

// What control has said of a leg before its party's first packet holds for that packet, though both were
// there when the worker came to look.
TEST_P(PacketIoTest, WhoWokeTheWorkerIsHeardBeforeWhatCameIn) {
  Listener listener;
  std::string why_not;
  auto io = make_packet_io(GetParam(), listener.wake, why_not);
  ASSERT_TRUE(io) << io.error();
  const UdpSocket near("127.0.0.1:0"), far("127.0.0.1:0");
  ASSERT_TRUE((*io)->add(0, near.descriptor(), 8));
  (*io)->turn(std::chrono::milliseconds(1), listener);  // both are watched now

  const std::vector<std::uint8_t> bytes(20);
  far.send(near.local(), bytes);
  const std::uint64_t one = 1;
  ASSERT_EQ(write(listener.wake, &one, sizeof one), static_cast<ssize_t>(sizeof one));
  (*io)->turn(std::chrono::seconds(5), listener);
  EXPECT_EQ(listener.heard, "woken datagram ");
  (*io)->remove(0);
  io->reset();
  close(listener.wake);
}

INSTANTIATE_TEST_SUITE_P(ByMeans, PacketIoTest, testing::Values(PacketIoKind::kEpoll, PacketIoKind::kUring),
                         [](const auto& each) {
                           return each.param == PacketIoKind::kEpoll ? "Epoll" : "Uring";
                         });

}  // namespace
}  // namespace vas::bridge
