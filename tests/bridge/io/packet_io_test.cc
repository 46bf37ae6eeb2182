// What a worker hears of first.
#include "bridge/io/packet_io.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <utility>

#include "tests/support/udp_socket.h"

namespace vas::bridge {
namespace {

struct Listener : PacketSink {
  void on_datagram(SocketId, const Endpoint&, Ttl, media::PacketBuffer) override {
    heard += "datagram ";
    if (on_first) std::exchange(on_first, {})();
  }
  void on_oversized(SocketId, const Endpoint&) override { heard += "oversized "; }
  bool has_news() const override { return is_awake; }
  void on_woken() override {
    std::uint64_t count = 0;
    if (read(wake, &count, sizeof count) != static_cast<ssize_t>(sizeof count)) return;
    is_awake = false;
    heard += "woken ";
    if (when_woken) when_woken();
  }
  void say_news() {
    const std::uint64_t one = 1;
    ASSERT_EQ(write(wake, &one, sizeof one), static_cast<ssize_t>(sizeof one));
    is_awake = true;
  }

  int wake = eventfd(0, EFD_NONBLOCK);
  std::string heard;
  bool is_awake = false;
  std::function<void()> on_first, when_woken;
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
  listener.say_news();
  (*io)->turn(std::chrono::seconds(5), listener);
  EXPECT_EQ(listener.heard, "woken datagram ");
  (*io)->remove(0);
  io->reset();
  close(listener.wake);
}

// A worker that is held up in the midst of its turn has read its inbox already, and what control says then
// still comes before what the party sends after it.
TEST_P(PacketIoTest, WhoWakesTheWorkerInItsTurnIsHeardBeforeWhatComesThen) {
  Listener listener;
  std::string why_not;
  auto io = make_packet_io(GetParam(), listener.wake, why_not);
  ASSERT_TRUE(io) << io.error();
  const UdpSocket near("127.0.0.1:0"), far("127.0.0.1:0");
  ASSERT_TRUE((*io)->add(0, near.descriptor(), 8));
  (*io)->turn(std::chrono::milliseconds(1), listener);

  const std::vector<std::uint8_t> bytes(20);
  listener.on_first = [&] { listener.say_news(); };
  for (int i = 0; i < 3; ++i) far.send(near.local(), bytes);
  while (listener.heard.size() < 33) (*io)->turn(std::chrono::seconds(5), listener);
  EXPECT_EQ(listener.heard, "datagram woken datagram datagram ");

  listener.heard.clear();
  listener.on_first = [&] { listener.say_news(); };
  listener.when_woken = [&] { (*io)->remove(0); };
  far.send(near.local(), bytes);
  far.send(near.local(), bytes);
  for (int i = 0; i < 5; ++i) (*io)->turn(std::chrono::milliseconds(20), listener);
  EXPECT_EQ(listener.heard, "datagram woken ") << "what came in at a socket that is gone";
  io->reset();
  close(listener.wake);
}

INSTANTIATE_TEST_SUITE_P(ByMeans, PacketIoTest, testing::Values(PacketIoKind::kEpoll, PacketIoKind::kUring),
                         [](const auto& each) {
                           return each.param == PacketIoKind::kEpoll ? "Epoll" : "Uring";
                         });

}  // namespace
}  // namespace vas::bridge
