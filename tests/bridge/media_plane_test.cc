#include "bridge/media_plane.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "tests/support/rtp_builder.h"
#include "tests/support/udp_socket.h"

namespace vas::bridge {
namespace {

constexpr std::uint16_t kFirstPort = 19000, kLastPort = 19039;

// Of the plane's range, whose ports are lent from a random place on.
int port_that_nobody_holds(const std::set<int>& held) {
  int port = kFirstPort;
  while (held.contains(port)) port += 2;
  return port;
}

// The plane of the test before has closed its ports, but io_uring lets go of them some time after.
bool become_free() {
  for (int tries = 0; tries < 1000; ++tries) {
    int busy = 0;
    for (int port = kFirstPort; port <= kLastPort; ++port) {
      if (UdpSocket(("127.0.0.1:" + std::to_string(port)).c_str()).local().port == 0) ++busy;
    }
    if (busy == 0) return true;
    usleep(10'000);
  }
  return false;
}

// Each by both kinds of packet I/O, and where privilege allows with the kernel's fast path.
struct Means {
  const char* name;
  PacketIoKind io;
  bool uses_kernel;
};

std::unique_ptr<MediaPlane> open_plane(const Means& means) {
  return std::move(*MediaPlane::open({.bind_ipv4 = *IpAddress::parse("127.0.0.1"),
                                      .advertised_ipv4 = {},
                                      .bind_ipv6 = {},
                                      .first_port = kFirstPort,
                                      .last_port = kLastPort,
                                      .io = means.io,
                                      .uses_kernel = means.uses_kernel}));
}

class MediaPlaneTest : public testing::TestWithParam<Means> {
 protected:
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
  std::unique_ptr<MediaPlane> plane_owner_ = open_plane(GetParam());
  MediaPlane& plane_ = *plane_owner_;
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

// A phone whose BYE was lost, or ours to it, goes on sending. The port's next call is another phone's behind
// its NAT.
TEST_P(MediaPlaneTest, WhoHadThePortLastDoesNotTakeItsNextCall) {
  const auto plane = std::move(*MediaPlane::open({.bind_ipv4 = *IpAddress::parse("127.0.0.1"),
                                                  .first_port = 19040,
                                                  .last_port = 19043,
                                                  .io = GetParam().io,
                                                  .uses_kernel = GetParam().uses_kernel}));
  const UdpSocket ghost("127.0.0.1:0"), phone("127.0.0.1:0"), far("127.0.0.2:0");
  std::uint16_t number = 0;
  const auto open = [&] {
    const BridgeId bridge = plane->open_bridge();
    const auto local = plane->open_leg(bridge, LegSide::kA, AddressFamily::kIpv4);
    EXPECT_TRUE(local && plane->open_leg(bridge, LegSide::kB, AddressFamily::kIpv4));
    LegConfig behind_nat = to("10.0.0.5:4000");
    behind_nat.signaling_address = IpAddress::parse("127.0.0.1");
    plane->configure_leg(bridge, LegSide::kA, behind_nat);
    plane->configure_leg(bridge, LegSide::kB, to(to_string(far.local()).c_str()));
    plane->start(bridge);
    return std::pair(bridge, *local);
  };
  const auto passes = [&](const UdpSocket& from, const Endpoint& local, std::uint32_t ssrc, int tries) {
    for (int i = 0; i < tries; ++i) {
      from.send(local, media::build_rtp({.sequence_number = {++number}, .ssrc = {ssrc}}));
      pollfd waiting{far.descriptor(), POLLIN, 0};
      if (poll(&waiting, 1, 100) == 1) return !far.receive().empty();
    }
    return false;
  };
  const auto first = open();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(passes(ghost, first.second, 7, 50));
  plane->close(first.first);
  for (bool is_closed = false; !is_closed;) {
    pollfd waiting{plane->descriptor(), POLLIN, 0};
    ASSERT_EQ(poll(&waiting, 1, 5000), 1);
    plane->drain([&](const MediaEvent& event) { is_closed |= std::holds_alternative<BridgeClosed>(event); });
  }
  std::this_thread::sleep_for(PortPool::kRest + std::chrono::milliseconds(100));

  const auto second = open();
  ASSERT_EQ(second.second, first.second);
  EXPECT_FALSE(passes(ghost, second.second, 7, 10));
  EXPECT_TRUE(passes(phone, second.second, 8, 50));
  EXPECT_FALSE(passes(ghost, second.second, 7, 10));
}

// What it came with, and what it goes on with; 0: not at all.
TEST_P(MediaPlaneTest, WhatIsRelayedLivesLessLongThanItCameWith) {
  if (GetParam().uses_kernel) return;  // the kernel's own has a test of its own: kernel_relay_test
  const UdpSocket near("127.0.0.1:0"), far("127.0.0.1:0");
  const BridgeId bridge = plane_.open_bridge();
  const auto a = plane_.open_leg(bridge, LegSide::kA, AddressFamily::kIpv4);
  ASSERT_TRUE(a && plane_.open_leg(bridge, LegSide::kB, AddressFamily::kIpv4));
  ASSERT_TRUE(plane_.configure_leg(bridge, LegSide::kA, to(to_string(near.local()).c_str())));
  ASSERT_TRUE(plane_.configure_leg(bridge, LegSide::kB, to(to_string(far.local()).c_str())));
  plane_.start(bridge);
  const int yes = 1;
  setsockopt(far.descriptor(), IPPROTO_IP, IP_RECVTTL, &yes, sizeof yes);

  std::uint16_t number = 0;
  for (int heard = 0; heard < 1 && number < 50;) {  // until the worker has heard of the call
    near.send(*a, media::build_rtp({.sequence_number = {++number}}));
    pollfd waiting{far.descriptor(), POLLIN, 0};
    heard = poll(&waiting, 1, 100);
  }
  for (pollfd waiting{far.descriptor(), POLLIN, 0}; poll(&waiting, 1, 100) == 1;) (void)far.receive();
  for (const auto& [came, goes] : {std::pair{64, kMediaTtl},
                                   {255, kMediaTtl},
                                   {49, kMediaTtl},
                                   {48, 47},
                                   {10, 9},
                                   {2, 1},
                                   {1, 0},
                                   {3, 2}}) {
    setsockopt(near.descriptor(), IPPROTO_IP, IP_TTL, &came, sizeof came);
    near.send(*a, media::build_rtp({.sequence_number = {++number}}));
    pollfd waiting{far.descriptor(), POLLIN, 0};
    ASSERT_EQ(poll(&waiting, 1, goes == 0 ? 100 : 5000), goes == 0 ? 0 : 1) << came;
    if (goes == 0) continue;
    std::array<std::uint8_t, 2048> bytes;
    iovec room{bytes.data(), bytes.size()};
    alignas(cmsghdr) std::array<std::uint8_t, kTtlControlBytes> control;
    msghdr message{};
    message.msg_iov = &room;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ASSERT_GT(recvmsg(far.descriptor(), &message, 0), 0);
    EXPECT_EQ(ttl_of(CMSG_FIRSTHDR(&message)), goes) << came;
  }
  plane_.close(bridge);
  EXPECT_EQ(wait_for_close().legs[0].expired, 1u);
}

// A far end that is one of our media ports is judged by its port and by whether the address is this host's.
TEST(MediaPlanePolicy, KnowsItsPortsAtEveryAddressOfTheHost) {
  const auto own = std::make_shared<OwnAddresses>();
  own->set({.local = {*Network::parse("9.9.9.9"), *Network::parse("127.0.0.0/8")}, .groups = {}});
  const auto plane = std::move(*MediaPlane::open(
      {.bind_ipv4 = *IpAddress::parse("127.0.0.1"),
       .advertised_ipv4 = {},
       .bind_ipv6 = {},
       .first_port = kFirstPort,
       .last_port = kLastPort,
       .peers = std::make_shared<AddressPolicy>(AddressPolicy::Door::kPeer, std::vector<Network>{}, own),
       .also_ours = {*IpAddress::parse("8.8.4.4")}}));
  const BridgeId one = plane->open_bridge(), two = plane->open_bridge();
  std::set<int> held;
  for (const BridgeId each : {one, two}) {
    for (const LegSide side : {LegSide::kA, LegSide::kB})
      held.insert(plane->open_leg(each, side, AddressFamily::kIpv4)->port);
  }
  const int nobodys = port_that_nobody_holds(held);
  const auto far = [](const std::string& address, int port) {
    LegConfig config;
    config.far_rtp = *Endpoint::parse(address + ":" + std::to_string(port));
    return config;
  };
  for (const char* address : {"127.0.0.1", "127.0.0.7", "9.9.9.9", "8.8.4.4", "[::ffff:9.9.9.9]"})
    EXPECT_FALSE(plane->configure_leg(one, LegSide::kA, far(address, nobodys))) << address;
  EXPECT_TRUE(plane->configure_leg(one, LegSide::kA, far("8.8.8.8", nobodys)));
  EXPECT_TRUE(plane->configure_leg(one, LegSide::kA, far("9.9.9.9", 4000)));  // call control's to judge
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
  ASSERT_TRUE(become_free());
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

// What control has said last is on its way to a worker when the plane ends.
TEST_P(MediaPlaneTest, KeepsNoPortOfALegThatItsWorkerHasNotHeardOf) {
  plane_owner_.reset();
  for (int i = 0; i < 10; ++i) {
    const auto plane = open_plane(GetParam());
    for (int legs = 0; legs < 5; ++legs)
      ASSERT_TRUE(plane->open_leg(plane->open_bridge(), LegSide::kA, AddressFamily::kIpv4));
  }
  EXPECT_TRUE(become_free());
}

TEST_P(MediaPlaneTest, AFarEndThatIsOneOfOurPortsIsRefusedUnlessItIsTrulyBetweenTwoCalls) {
  const BridgeId one = plane_.open_bridge();
  const BridgeId two = plane_.open_bridge();
  std::map<std::pair<std::uint64_t, LegSide>, std::string> local;
  std::set<int> held;
  for (const BridgeId bridge : {one, two}) {
    for (const LegSide side : {LegSide::kA, LegSide::kB}) {
      const Endpoint own = *plane_.open_leg(bridge, side, AddressFamily::kIpv4);
      held.insert(own.port);
      local[{bridge.value, side}] = to_string(own);
    }
  }
  const auto at = [&](BridgeId bridge, LegSide side) { return local.at({bridge.value, side}).c_str(); };
  const std::string nobodys = "127.0.0.1:" + std::to_string(port_that_nobody_holds(held));
  EXPECT_FALSE(plane_.configure_leg(one, LegSide::kA, to(nobodys.c_str()))) << "a port that no call holds";
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
