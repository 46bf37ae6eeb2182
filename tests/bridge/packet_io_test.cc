// What a worker hears of first.
#include "bridge/packet_io.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

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

class PacketIoTest : public testing::TestWithParam<PacketIoKind> {
 protected:
  void SetUp() override {
    std::string why_not;
    auto opened = make_packet_io(GetParam(), listener_.wake, why_not);
    ASSERT_TRUE(opened) << opened.error();
    io_ = std::move(*opened);
    ASSERT_TRUE(io_->add(0, near_.descriptor(), 8));
    io_->turn(std::chrono::milliseconds(1), listener_);  // both are watched now
  }
  void TearDown() override {
    io_.reset();
    close(listener_.wake);
  }
  void send(int datagrams) {
    const std::vector<std::uint8_t> bytes(20);
    for (int i = 0; i < datagrams; ++i) far_.send(near_.local(), bytes);
  }

  Listener listener_;
  std::unique_ptr<PacketIo> io_;
  const UdpSocket near_{"127.0.0.1:0"};
  const UdpSocket far_{"127.0.0.1:0"};
};

// What control has said of a leg before its party's first packet holds for that packet, though both were
// there when the worker came to look.
TEST_P(PacketIoTest, WhoWokeTheWorkerIsHeardBeforeWhatCameIn) {
  send(1);
  listener_.say_news();
  io_->turn(std::chrono::seconds(5), listener_);
  EXPECT_EQ(listener_.heard, "woken datagram ");
}

TEST_P(PacketIoTest, WhoWakesTheWorkerIsHeardWithoutADatagram) {
  listener_.say_news();
  io_->turn(std::chrono::seconds(5), listener_);
  EXPECT_EQ(listener_.heard, "woken ");
}

// A worker that is held up in the midst of its turn has read its inbox already, and what control says then
// still comes before what the party sends after it.
TEST_P(PacketIoTest, WhoWakesTheWorkerInItsTurnIsHeardBeforeWhatComesThen) {
  listener_.on_first = [&] { listener_.say_news(); };
  send(3);
  for (int i = 0; i < 5; ++i) io_->turn(std::chrono::milliseconds(20), listener_);
  EXPECT_EQ(listener_.heard, "datagram woken datagram datagram ");
}

TEST_P(PacketIoTest, WhatCameInAtASocketThatIsGoneIsNotHandedOver) {
  listener_.on_first = [&] { listener_.say_news(); };
  listener_.when_woken = [&] { io_->remove(0); };
  send(2);
  for (int i = 0; i < 5; ++i) io_->turn(std::chrono::milliseconds(20), listener_);
  EXPECT_EQ(listener_.heard, "datagram woken ");
}

INSTANTIATE_TEST_SUITE_P(ByMeans, PacketIoTest, testing::Values(PacketIoKind::kEpoll, PacketIoKind::kUring),
                         [](const auto& each) {
                           return each.param == PacketIoKind::kEpoll ? "Epoll" : "Uring";
                         });

}  // namespace
}  // namespace vas::bridge
