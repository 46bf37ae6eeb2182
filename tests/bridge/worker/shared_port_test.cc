// Many legs with ICE behind one port of their worker, over real sockets.
#include <gtest/gtest.h>
#include <poll.h>

#include <list>
#include <thread>

#include "bridge/plane/media_plane.h"
#include "tests/support/ice_check.h"
#include "tests/support/rtp_builder.h"
#include "tests/support/udp_socket.h"

namespace vas::bridge {
namespace {

using std::chrono::milliseconds;
using Packet = std::vector<std::uint8_t>;

// What comes within a moment; empty: nothing.
Packet await(const UdpSocket& socket, milliseconds longest = milliseconds(2000)) {
  pollfd waiting{socket.descriptor(), POLLIN, 0};
  poll(&waiting, 1, static_cast<int>(longest.count()));
  return socket.receive();
}

// A call from a party with ICE to a plain one, or to another with ICE.
struct IceCall {
  UdpSocket caller{"127.0.0.1:0"};
  UdpSocket carrier{"127.0.0.2:0"};
  BridgeId bridge;
  Endpoint server;         // where the caller sends to
  Endpoint carrier_local;  // where the carrier sends to
  LegIce ice{.local = ice::random_credentials(), .remote = ice::random_credentials()};

  Packet check() const { return ice::build_check(ice.local, ice.remote); }
};

class SharedPortTest : public testing::TestWithParam<PacketIoKind> {
 protected:
  static std::vector<LegFormat> formats() { return {{{0}, media::Codec::kPcmu, 8000}}; }

  void begin(IceCall& call) {
    call.bridge = plane_->open_bridge();
    call.server = *plane_->open_leg(call.bridge, LegSide::kA, AddressFamily::kIpv4, PortUse::kShared);
    call.carrier_local = *plane_->open_leg(call.bridge, LegSide::kB, AddressFamily::kIpv4);
    configure(call);
    plane_->configure_leg(call.bridge, LegSide::kB,
                          {.far_rtp = call.carrier.local(), .rtcp_mux = true, .formats = formats()});
    plane_->start(call.bridge);
  }
  void configure(const IceCall& call) {
    plane_->configure_leg(call.bridge, LegSide::kA,
                          {.rtcp_mux = true, .formats = formats(), .ice = call.ice});
  }
  // Checks until it is answered, as parties do: the first may come before the worker knows the leg.
  bool prove(const IceCall& call, const UdpSocket& from) {
    for (int i = 0; i < 20; ++i) {
      from.send(call.server, call.check());
      if (!await(from, milliseconds(300)).empty()) return true;
    }
    return false;
  }
  // Whether the carrier hears what is sent from there.
  bool passes(const IceCall& call, const UdpSocket& from) {
    from.send(call.server, media::build_rtp({.sequence_number = {++number_}}));
    return !await(call.carrier, milliseconds(300)).empty();
  }
  // The same for what the worker is about to learn.
  bool will_pass(const IceCall& call, const UdpSocket& from) {
    for (int i = 0; i < 20; ++i) {
      if (passes(call, from)) return true;
    }
    return false;
  }
  bool passes_back(const IceCall& call) {
    call.carrier.send(call.carrier_local, media::build_rtp({.sequence_number = {++number_}}));
    return !await(call.caller, milliseconds(300)).empty();
  }
  BridgeClosed close(const IceCall& call) {
    plane_->close(call.bridge);
    std::optional<BridgeClosed> closed;
    while (!closed) {
      pollfd waiting{plane_->descriptor(), POLLIN, 0};
      EXPECT_EQ(poll(&waiting, 1, 5000), 1);
      plane_->drain([&](const MediaEvent& event) {
        if (const auto* each = std::get_if<BridgeClosed>(&event)) closed = *each;
      });
    }
    return *closed;
  }
  bool becomes_stray(std::uint64_t datagrams) const {
    for (int i = 0; i < 200 && plane_->figures().stray < datagrams; ++i)
      std::this_thread::sleep_for(milliseconds(10));
    return plane_->figures().stray == datagrams;
  }

  // io_uring lets go of a plane's ports some time after the plane: who counts ports takes others.
  static std::unique_ptr<MediaPlane> open_plane(std::uint16_t first_port) {
    return std::move(*MediaPlane::open({.bind_ipv4 = *IpAddress::parse("127.0.0.1"),
                                        .bind_ipv6 = IpAddress::parse("::1"),
                                        .first_port = first_port,
                                        .last_port = static_cast<std::uint16_t>(first_port + 39),
                                        .io = GetParam()}));
  }

  std::unique_ptr<MediaPlane> plane_ = open_plane(19600);
  std::uint16_t number_ = 0;
};

TEST_P(SharedPortTest, EachCallGetsItsOwnMediaThroughTheOnePort) {
  std::list<IceCall> calls(8);
  for (IceCall& call : calls) begin(call);
  for (const IceCall& call : calls) {
    EXPECT_EQ(call.server, calls.front().server);
    EXPECT_TRUE(prove(call, call.caller));
  }
  for (const IceCall& call : calls) {
    EXPECT_TRUE(passes(call, call.caller));
    EXPECT_TRUE(passes_back(call));
  }
  for (const IceCall& call : calls) {
    EXPECT_TRUE(await(call.carrier, milliseconds(0)).empty()) << "somebody else's";
    EXPECT_EQ(close(call).legs[0].received.packets, 1u);
  }
}

TEST_P(SharedPortTest, BothSidesOfACallMayShareIt) {
  IceCall mixed;
  begin(mixed);
  EXPECT_EQ(*plane_->open_leg(mixed.bridge, LegSide::kB, AddressFamily::kIpv4, PortUse::kShared),
            mixed.carrier_local)
      << "a leg that has a port of its own keeps it";

  IceCall both;
  both.bridge = plane_->open_bridge();
  both.server = *plane_->open_leg(both.bridge, LegSide::kA, AddressFamily::kIpv4, PortUse::kShared);
  EXPECT_EQ(*plane_->open_leg(both.bridge, LegSide::kB, AddressFamily::kIpv4, PortUse::kShared), both.server);
  configure(both);
  IceCall other_side;
  other_side.server = both.server;
  plane_->configure_leg(both.bridge, LegSide::kB,
                        {.rtcp_mux = true, .formats = formats(), .ice = other_side.ice});
  plane_->start(both.bridge);
  ASSERT_TRUE(prove(both, both.caller));
  ASSERT_TRUE(prove(other_side, other_side.caller));
  both.caller.send(both.server, media::build_rtp({}));
  EXPECT_FALSE(await(other_side.caller).empty());
}

TEST_P(SharedPortTest, WhatNobodyProvedIsStrayAndReachesNoCall) {
  IceCall call;
  begin(call);
  const UdpSocket stranger("127.0.0.66:0");
  ASSERT_TRUE(prove(call, call.caller));
  const std::uint64_t before = plane_->figures().stray;
  stranger.send(call.server, media::build_rtp({}));
  stranger.send(call.server, ice::build_check({.username = "nobody:them", .password = "wrong"}));
  stranger.send(call.server, Packet{22, 254, 253, 0});
  EXPECT_TRUE(becomes_stray(before + 3));
  stranger.send(call.server, ice::build_check({.username = call.ice.local.ufrag + ":" + call.ice.remote.ufrag,
                                               .password = "a-wrong-password-of-22"}));
  stranger.send(call.server, media::build_rtp({}));
  EXPECT_TRUE(becomes_stray(before + 4)) << "a check that proves nothing gives no address";
  EXPECT_TRUE(await(call.carrier, milliseconds(100)).empty());
  EXPECT_TRUE(await(stranger, milliseconds(0)).empty());
  EXPECT_TRUE(passes(call, call.caller));
  EXPECT_EQ(close(call).legs[0].malformed, 1u);
}

TEST_P(SharedPortTest, AKeepAliveIsTheLegsThatProvedItsAddress) {
  IceCall call;
  begin(call);
  ASSERT_TRUE(prove(call, call.caller));
  const std::uint64_t before = plane_->figures().stray;
  const Packet indication{0, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  call.caller.send(call.server, indication);
  EXPECT_TRUE(passes(call, call.caller));
  EXPECT_EQ(plane_->figures().stray, before);
  const UdpSocket stranger("127.0.0.66:0");
  stranger.send(call.server, indication);
  EXPECT_TRUE(becomes_stray(before + 1));
  EXPECT_EQ(close(call).legs[0].malformed, 0u);
}

// Somebody with a call of its own who can forge a source address must not get another call's media.
TEST_P(SharedPortTest, AnAddressInUseIsNotGivenToAnotherCall) {
  IceCall victim, attacker;
  begin(victim);
  begin(attacker);
  ASSERT_TRUE(prove(victim, victim.caller));
  ASSERT_TRUE(prove(attacker, attacker.caller));
  const std::uint64_t before = plane_->figures().stray;
  victim.caller.send(victim.server, attacker.check());
  EXPECT_TRUE(await(victim.caller, milliseconds(100)).empty());
  EXPECT_TRUE(passes(victim, victim.caller));
  EXPECT_TRUE(passes(attacker, attacker.caller));
  EXPECT_EQ(plane_->figures().stray, before + 1);
}

// A phone that calls again from the port that it had before.
TEST_P(SharedPortTest, AnAddressIsTheNextCallsWhenItsCallIsOver) {
  IceCall first, second;
  begin(first);
  ASSERT_TRUE(prove(first, first.caller));
  close(first);
  begin(second);
  EXPECT_TRUE(prove(second, first.caller));
  EXPECT_TRUE(passes(second, first.caller));
}

// A phone that was started anew and calls again, while its call of before is not over for anybody.
TEST_P(SharedPortTest, AnAddressIsTheNextCallsWhenItsCallHasGoneQuiet) {
  IceCall first, second;
  begin(first);
  begin(second);
  ASSERT_TRUE(prove(first, first.caller));
  std::this_thread::sleep_for(ice::IceLite::kAbandoned + milliseconds(200));
  EXPECT_TRUE(prove(second, first.caller));
  EXPECT_TRUE(passes(second, first.caller));
  EXPECT_TRUE(await(first.carrier, milliseconds(100)).empty());
}

TEST_P(SharedPortTest, ARestartAndAMoveKeepTheCall) {
  IceCall call;
  begin(call);
  ASSERT_TRUE(prove(call, call.caller));
  const Packet before = call.check();
  call.ice.local = ice::random_credentials();
  call.ice.remote = ice::random_credentials();
  configure(call);
  call.caller.send(call.server, before);
  EXPECT_FALSE(await(call.caller).empty()) << "in force until the first check of the new ones";
  const UdpSocket mobile("127.0.0.3:0");
  ASSERT_TRUE(prove(call, mobile));
  EXPECT_TRUE(passes(call, mobile));
  EXPECT_FALSE(passes_back(call)) << "it has moved";
  EXPECT_FALSE(await(mobile).empty());
}

TEST_P(SharedPortTest, ALegThatGivesUpIceGetsPortsOfItsOwn) {
  IceCall call, neighbour;
  begin(call);
  begin(neighbour);
  ASSERT_TRUE(prove(call, call.caller));
  const Endpoint shared = call.server;
  call.server = *plane_->open_leg(call.bridge, LegSide::kA, AddressFamily::kIpv4);
  EXPECT_NE(call.server, shared);
  plane_->configure_leg(call.bridge, LegSide::kA,
                        {.far_rtp = call.caller.local(), .rtcp_mux = true, .formats = formats()});
  EXPECT_TRUE(will_pass(call, call.caller));
  EXPECT_TRUE(passes_back(call));
  call.server = shared;
  EXPECT_FALSE(passes(call, call.caller));
  ASSERT_TRUE(prove(neighbour, neighbour.caller));
  EXPECT_TRUE(passes(neighbour, neighbour.caller));
}

TEST_P(SharedPortTest, ALegThatMovesToTheOtherIpVersionGivesItsPortsBack) {
  const auto plane = open_plane(GetParam() == PacketIoKind::kEpoll ? 19720 : 19760);
  const BridgeId bridge = plane->open_bridge();
  const auto first = plane->open_leg(bridge, LegSide::kA, AddressFamily::kIpv4);
  const auto second = plane->open_leg(bridge, LegSide::kA, AddressFamily::kIpv6);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->address.family, AddressFamily::kIpv6);
  EXPECT_EQ(*plane->open_leg(bridge, LegSide::kA, AddressFamily::kIpv6), *second);
  std::this_thread::sleep_for(PortPool::kRest + milliseconds(100));
  int pairs = 0;
  while (plane->open_leg(plane->open_bridge(), LegSide::kA, AddressFamily::kIpv4)) ++pairs;
  EXPECT_EQ(pairs, 19) << "of the twenty of the range";
}

TEST_P(SharedPortTest, TakesOnePortOfTheRangeForEachFamilyAndWorker) {
  const auto plane = open_plane(GetParam() == PacketIoKind::kEpoll ? 19640 : 19680);
  for (int i = 0; i < 30; ++i) {
    const BridgeId bridge = plane->open_bridge();
    ASSERT_TRUE(plane->open_leg(bridge, LegSide::kA, AddressFamily::kIpv4, PortUse::kShared));
    ASSERT_TRUE(plane->open_leg(bridge, LegSide::kB, AddressFamily::kIpv6, PortUse::kShared));
  }
  int pairs = 0;
  while (plane->open_leg(plane->open_bridge(), LegSide::kA, AddressFamily::kIpv4)) ++pairs;
  EXPECT_EQ(pairs, 18) << "of the twenty of the range";
}

INSTANTIATE_TEST_SUITE_P(ByIo, SharedPortTest, testing::Values(PacketIoKind::kEpoll, PacketIoKind::kAuto),
                         [](const auto& each) {
                           return each.param == PacketIoKind::kEpoll ? "Epoll" : "Uring";
                         });

}  // namespace
}  // namespace vas::bridge
