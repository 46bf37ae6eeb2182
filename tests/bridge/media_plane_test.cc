#include "bridge/media_plane.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/rtp_builder.h"
#include "tests/support/udp_socket.h"

namespace vas::bridge {
namespace {

// Each by both kinds of packet I/O, and where privilege allows with the kernel's fast path.
struct Means {
  const char* name;
  PacketIoKind io;
  bool uses_kernel;
};

class MediaPlaneTest : public testing::TestWithParam<Means> {
 protected:
  MediaPlaneTest()
      : plane_owner_(std::move(*MediaPlane::open({.bind_ipv4 = *IpAddress::parse("127.0.0.1"),
                                                  .advertised_ipv4 = {},
                                                  .bind_ipv6 = {},
                                                  .first_port = 19000,
                                                  .last_port = 19039,
                                                  .io = GetParam().io,
                                                  .uses_kernel = GetParam().uses_kernel}))),
        plane_(*plane_owner_) {}

  LegConfig to(const char* endpoint) {
    return {
        .far_rtp = *Endpoint::parse(endpoint), .far_rtcp = {}, .formats = {{{0}, media::Codec::kPcmu, 8000}}};
  }
  BridgeClosed wait_for_close() {
    std::optional<BridgeClosed> closed;
    while (!closed) {
      pollfd waiting{plane_.descriptor(), POLLIN, 0};
      EXPECT_EQ(poll(&waiting, 1, 5000), 1);
      plane_.drain([&](const MediaEvent& event) {
        if (const auto* each = std::get_if<BridgeClosed>(&event)) closed = *each;
      });
    }
    return *closed;
  }
  std::unique_ptr<MediaPlane> plane_owner_;
  MediaPlane& plane_;
};

TEST_P(MediaPlaneTest, RelaysBetweenRealSocketsAndReturnsItsFigures) {
  const UdpSocket near("127.0.0.1:0"), far("127.0.0.1:0");
  const BridgeId bridge = plane_.open_bridge();
  const auto a = plane_.open_leg(bridge, LegSide::kA, AddressFamily::kIpv4);
  const auto b = plane_.open_leg(bridge, LegSide::kB, AddressFamily::kIpv4);
  ASSERT_TRUE(a && b);
  ASSERT_TRUE(plane_.configure_leg(bridge, LegSide::kA, to(to_string(near.local()).c_str())));
  ASSERT_TRUE(plane_.configure_leg(bridge, LegSide::kB, to(to_string(far.local()).c_str())));
  plane_.start(bridge);

  const auto packet = media::build_rtp({});
  std::vector<std::uint8_t> got;
  for (int i = 0; i < 50 && got.empty(); ++i) {
    near.send(*a, packet);
    pollfd waiting{far.descriptor(), POLLIN, 0};
    poll(&waiting, 1, 100);
    got = far.receive();
  }
  EXPECT_EQ(got.size(), packet.size());
  plane_.close(bridge);
  const BridgeClosed closed = wait_for_close();
  EXPECT_GE(closed.legs[0].received.packets, 1u);
  EXPECT_GE(closed.legs[1].sent_packets, 1u);
}

// Overload is loss that is counted, not delay: what is sent is either received or stands in the overrun.
TEST_P(MediaPlaneTest, WhatTheWorkerIsTooSlowForIsCounted) {
  const int sender = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_storage address{};
  socklen_t length = Endpoint::parse("127.0.0.1:0")->to_sockaddr(address);
  ASSERT_EQ(bind(sender, reinterpret_cast<sockaddr*>(&address), length), 0);
  getsockname(sender, reinterpret_cast<sockaddr*>(&address), &length);
  const BridgeId bridge = plane_.open_bridge();
  const auto a = plane_.open_leg(bridge, LegSide::kA, AddressFamily::kIpv4);
  ASSERT_TRUE(a);
  ASSERT_TRUE(
      plane_.configure_leg(bridge, LegSide::kA, to(to_string(*Endpoint::from_sockaddr(address)).c_str())));
  sockaddr_storage target{};
  const socklen_t target_length = a->to_sockaddr(target);
  ASSERT_EQ(connect(sender, reinterpret_cast<sockaddr*>(&target), target_length), 0);

  // A worker with a core of its own may keep up for a while.
  constexpr std::uint32_t kBurst = 20'000, kMostBursts = 50;
  std::uint32_t sent = 0;
  auto packet = media::build_rtp({});
  while (plane_.figures().overrun == 0 && sent < kMostBursts * kBurst) {
    for (std::uint32_t i = 0; i < kBurst; ++i, ++sent) {
      media::rewrite_header(packet, {false, {0}, {static_cast<std::uint16_t>(sent)}, {sent * 160}, {7}});
      ASSERT_EQ(send(sender, packet.data(), packet.size(), 0), static_cast<ssize_t>(packet.size()));
    }
    usleep(200'000);
  }
  plane_.close(bridge);
  const LegStats stats = wait_for_close().legs[0];
  EXPECT_EQ(stats.received.packets + stats.overrun + stats.over_limit, sent);
  EXPECT_GT(stats.overrun, 0u) << "the bursts did not overrun anything: there must be more";
  EXPECT_EQ(plane_.figures().overrun, stats.overrun);
  close(sender);
}

TEST_P(MediaPlaneTest, SaysWhenNoPortIsFreeAndLendsThemAgain) {
  std::vector<BridgeId> bridges;
  for (int i = 0; i < 10; ++i) {
    bridges.push_back(plane_.open_bridge());
    ASSERT_TRUE(plane_.open_leg(bridges.back(), LegSide::kA, AddressFamily::kIpv4));
    ASSERT_TRUE(plane_.open_leg(bridges.back(), LegSide::kB, AddressFamily::kIpv4));
  }
  const BridgeId one_more = plane_.open_bridge();
  EXPECT_FALSE(plane_.open_leg(one_more, LegSide::kA, AddressFamily::kIpv4));
  plane_.close(bridges.front());
  wait_for_close();
  usleep(600'000);
  EXPECT_TRUE(plane_.open_leg(one_more, LegSide::kA, AddressFamily::kIpv4));
}

TEST_P(MediaPlaneTest, AFarEndThatIsOneOfOurPortsIsRefusedUnlessItIsTrulyBetweenTwoCalls) {
  const BridgeId one = plane_.open_bridge();
  const BridgeId two = plane_.open_bridge();
  std::map<std::pair<std::uint64_t, LegSide>, std::string> local;
  for (const BridgeId bridge : {one, two}) {
    for (const LegSide side : {LegSide::kA, LegSide::kB})
      local[{bridge.value, side}] = to_string(*plane_.open_leg(bridge, side, AddressFamily::kIpv4));
  }
  const auto at = [&](BridgeId bridge, LegSide side) { return local.at({bridge.value, side}).c_str(); };
  EXPECT_FALSE(plane_.configure_leg(one, LegSide::kA, to("127.0.0.1:19038"))) << "a port that no call holds";
  EXPECT_FALSE(plane_.configure_leg(one, LegSide::kA, to(at(one, LegSide::kB)))) << "its own other leg";
  EXPECT_TRUE(plane_.configure_leg(one, LegSide::kB, to(at(two, LegSide::kA))));
  EXPECT_TRUE(plane_.configure_leg(two, LegSide::kA, to(at(one, LegSide::kB))));
  EXPECT_FALSE(plane_.configure_leg(two, LegSide::kB, to(at(one, LegSide::kA))))
      << "that would close the loop";
  EXPECT_FALSE(plane_.configure_leg(one, LegSide::kA, to(at(two, LegSide::kB)))) << "that too";
}

TEST_P(MediaPlaneTest, ALegThatNeedsItsAgentNoMoreSaysAPortOfItsOwn) {
  const BridgeId bridge = plane_.open_bridge();
  ASSERT_TRUE(plane_.open_leg(bridge, LegSide::kA, AddressFamily::kIpv4));
  plane_.gather_leg(bridge, LegSide::kA, AddressFamily::kIpv4, ice::random_credentials(),
                    ice::IceRole::kControlled);
  std::optional<LegGathered> gathered;
  while (!gathered) {
    pollfd waiting{plane_.descriptor(), POLLIN, 0};
    ASSERT_EQ(poll(&waiting, 1, 5000), 1);
    plane_.drain([&](MediaEvent&& event) {
      if (auto* each = std::get_if<LegGathered>(&event)) gathered = std::move(*each);
    });
  }
  ASSERT_TRUE(gathered->local);
  const auto again = plane_.open_leg(bridge, LegSide::kA, AddressFamily::kIpv4);
  ASSERT_TRUE(again);
  EXPECT_NE(*again, *gathered->local);
}

TEST_P(MediaPlaneTest, RefusesIpv6WhereNoneIsConfigured) {
  EXPECT_FALSE(plane_.open_leg(plane_.open_bridge(), LegSide::kA, AddressFamily::kIpv6));
}

INSTANTIATE_TEST_SUITE_P(ByMeans, MediaPlaneTest,
                         testing::Values(Means{"Epoll", PacketIoKind::kEpoll, false},
                                         Means{"Uring", PacketIoKind::kAuto, false},
                                         Means{"Kernel", PacketIoKind::kAuto, true}),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace vas::bridge
