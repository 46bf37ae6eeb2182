#include "bridge/kernel/kernel_relay.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "bridge/leg/relay_address.h"
#include "tests/support/rtp_builder.h"

namespace vas::bridge {
namespace {

constexpr std::uint16_t kFirstPort = 19100;

// Entries by hand, on the loopback interface.
class KernelRelayTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = KernelRelay::open({kFirstPort, kFirstPort + 99});
    if (!opened) GTEST_SKIP() << opened.error();
    relay_ = std::move(*opened);
  }
  ~KernelRelayTest() override {
    for (const auto& [port, socket] : sockets_) close(socket);
  }

  int socket_at(std::uint16_t port) {
    if (const auto known = sockets_.find(port); known != sockets_.end()) return known->second;
    const int made = socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_storage address{};
    const socklen_t length = at(port).to_sockaddr(address);
    EXPECT_EQ(bind(made, reinterpret_cast<sockaddr*>(&address), length), 0);
    return sockets_[port] = made;
  }
  static Endpoint at(std::uint16_t port) { return {*IpAddress::parse("127.0.0.1"), port}; }

  // What comes from `near` goes to `far` from `far_local`: payload type 0 as 8.
  static relay_entry entry(std::uint16_t near, std::uint16_t far_local, std::uint16_t far) {
    relay_entry entry{};
    const relay_address loopback = to_relay(*IpAddress::parse("127.0.0.1"));
    entry.near = entry.near_local = entry.far = entry.far_local = loopback;
    entry.near_port = to_relay(near);
    entry.far_local_port = to_relay(far_local);
    entry.far_port = to_relay(far);
    entry.family = 4;
    entry.tos = 0xb8;
    entry.ssrc = 0xaaaa;
    entry.egress_ifindex = if_nametoindex("lo");
    std::fill(std::begin(entry.format_of), std::end(entry.format_of), kRelayFormatUnknown);
    entry.format_of[0] = 0;
    entry.format_of[101] = kRelayFormatGoesUp;
    entry.formats[0] = {125'000ULL * 1024, 8, 0, {}};
    entry.receive.in_stretch = 1;
    entry.receive.ssrc = 0x1111;
    entry.splice.has_stream = 1;
    entry.splice.ssrc = 0x1111;
    return entry;
  }
  void send(std::uint16_t from, std::uint16_t to, const media::RtpFields& fields, int ttl = 64) {
    const auto packet = media::build_rtp(fields);
    sockaddr_storage address{};
    const socklen_t length = at(to).to_sockaddr(address);
    setsockopt(socket_at(from), IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
    ASSERT_EQ(sendto(socket_at(from), packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&address),
                     length),
              static_cast<ssize_t>(packet.size()));
  }
  // The next datagram at `port`, empty if none comes.
  std::vector<std::uint8_t> receive(std::uint16_t port) {
    pollfd waiting{socket_at(port), POLLIN, 0};
    if (poll(&waiting, 1, 300) != 1) return {};
    std::vector<std::uint8_t> bytes(2048);
    bytes.resize(static_cast<std::size_t>(recv(socket_at(port), bytes.data(), bytes.size(), 0)));
    return bytes;
  }
  relay_entry state(std::uint16_t port) {
    relay_entry entry{};
    relay_->read(port, entry);
    return entry;
  }
  // As user space does with a packet that went up, and a moment later.
  void put_back(std::uint16_t port) {
    relay_entry entry{};
    relay_->withdraw(port, entry);
    relay_->install(port, entry);
  }

  std::unique_ptr<KernelRelay> relay_;
  std::map<std::uint16_t, int> sockets_;
};

TEST_F(KernelRelayTest, RewritesTheHeaderAndLeavesThePayload) {
  socket_at(19202);
  relay_entry first = entry(19200, 19102, 19202);
  first.splice.number_offset = 1000;
  first.splice.newest_number = 1000;
  first.splice.timestamp_offset = 7;
  relay_->install(19100, first);
  send(19200, 19100, {.sequence_number = {1}, .timestamp = {160}, .marker = true});
  const auto got = receive(19202);
  const auto packet = media::RtpPacket::parse(got);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->payload_type().value, 8);
  EXPECT_EQ(packet->sequence_number().value, 1001);
  EXPECT_EQ(packet->timestamp().value, 167u);
  EXPECT_EQ(packet->ssrc().value, 0xaaaau);
  EXPECT_TRUE(packet->marker());
  EXPECT_EQ(packet->payload().size(), 160u);
  EXPECT_TRUE(std::all_of(packet->payload().begin(), packet->payload().end(),
                          [](auto byte) { return byte == 0xd5; }));
  EXPECT_EQ(state(19100).sent_packets, 1u);
}

TEST_F(KernelRelayTest, WhatItDoesNotKnowGoesUpAndStrangersAreDropped) {
  socket_at(19100);
  socket_at(19202);
  relay_->install(19100, entry(19200, 19102, 19202));
  const struct {
    media::RtpFields fields;
    const char* what;
  } unknown[] = {
      {{.payload_type = {101}}, "a telephone event"},
      {{.sequence_number = {1}, .ssrc = {0x2222}}, "another stream"},
      {{.sequence_number = {9000}}, "a sequence that begins anew"},
      {{.payload_type = {18}, .sequence_number = {1}},
       "the party's payload type that was not negotiated has a number, too"},
      {{.sequence_number = {1}, .payload = std::vector<std::uint8_t>(1960)}, "more than user space takes"},
  };
  for (const auto& each : unknown) {
    send(19200, 19100, each.fields);
    EXPECT_FALSE(receive(19100).empty()) << each.what;
    put_back(19100);
  }
  send(19204, 19100, {.sequence_number = {1}});
  EXPECT_TRUE(receive(19100).empty()) << "another source";
  send(19204, 19100, {.payload_type = {18}, .sequence_number = {1}});
  EXPECT_TRUE(receive(19100).empty()) << "another source's payload type that was not negotiated";
  EXPECT_TRUE(receive(19202).empty());
  const relay_entry now = state(19100);
  EXPECT_EQ(now.refused_source, 1u);
  EXPECT_EQ(now.unknown_payload_type, 1u);
  EXPECT_EQ(now.sent_packets, 0u);
}

// One that was relayed behind it would overtake it on its way through user space, which may give it a number
// or leave it out.
TEST_F(KernelRelayTest, NothingOvertakesWhatGoesUp) {
  socket_at(19100);
  socket_at(19202);
  relay_->install(19100, entry(19200, 19102, 19202));
  send(19200, 19100, {.sequence_number = {1}, .timestamp = {160}});
  EXPECT_FALSE(receive(19202).empty());
  send(19200, 19100, {.payload_type = {101}, .sequence_number = {2}, .timestamp = {320}});
  send(19200, 19100, {.sequence_number = {3}, .timestamp = {320}});
  for (const int number : {2, 3}) {
    const auto got = receive(19100);
    const auto packet = media::RtpPacket::parse(got);
    ASSERT_TRUE(packet) << number;
    EXPECT_EQ(packet->sequence_number().value, number);
  }
  EXPECT_TRUE(receive(19202).empty());
  put_back(19100);
  send(19200, 19100, {.sequence_number = {4}, .timestamp = {480}});
  EXPECT_FALSE(receive(19202).empty()) << "until it is taken back, and comes again";
}

// It may have come while the entry was made, and user space has not met it yet.
TEST_F(KernelRelayTest, TheFirstIsTheNextOfWhatUserSpaceRelayed) {
  socket_at(19100);
  socket_at(19202);
  relay_->install(19100, entry(19200, 19102, 19202));
  send(19200, 19100, {.sequence_number = {2}, .timestamp = {320}});
  EXPECT_FALSE(receive(19100).empty());
  EXPECT_TRUE(receive(19202).empty());

  relay_entry overloaded = entry(19200, 19102, 19202);
  overloaded.may_overtake = 1;
  relay_->install(19100, overloaded);
  send(19200, 19100, {.sequence_number = {2}, .timestamp = {320}});
  EXPECT_FALSE(receive(19202).empty()) << "what waits is lost anyway, and the kernel is the help";
}

TEST_F(KernelRelayTest, ChecksAndReportsOnTheSamePortAreNoReasonToStop) {
  socket_at(19100);
  socket_at(19202);
  relay_->install(19100, entry(19200, 19102, 19202));
  send(19200, 19100, {.payload_type = {72}, .marker = true});  // its second byte is that of a sender report
  EXPECT_FALSE(receive(19100).empty());
  send(19200, 19100, {.sequence_number = {1}, .timestamp = {160}});
  EXPECT_FALSE(receive(19202).empty());
}

// What one packet cannot say is user space's to decide; the rest goes on as if it had not come.
TEST_F(KernelRelayTest, RestartsStraysAndJumpsGoUp) {
  socket_at(19100);
  socket_at(19202);
  relay_->install(19100, entry(19200, 19102, 19202));
  for (std::uint16_t i = 1; i <= 40; ++i) {
    send(19200, 19100, {.sequence_number = {i}, .timestamp = {160U * i}});
    ASSERT_FALSE(receive(19202).empty()) << i;
  }
  const struct {
    int number;
    std::uint32_t timestamp;
  } unusual[] = {
      {20, 6560},       // numbers a little back, timestamps go on
      {20, 5'000'000},  // both anew
      {41, 5'000'000},  // timestamps only
      {41, 100},        // back
      {2500, 400'000},  // a stray, or a restart a little ahead
      {300, 6560},      // more numbers than there was time for
      {-200, 6560},    {9000, 6560},
  };
  for (const auto& each : unusual) {
    send(19200, 19100,
         {.sequence_number = {static_cast<std::uint16_t>(each.number)}, .timestamp = {each.timestamp}});
    EXPECT_FALSE(receive(19100).empty()) << each.number << ", " << each.timestamp;
    put_back(19100);
  }
  EXPECT_EQ(state(19100).receive.packets, 40u);
  send(19200, 19100, {.sequence_number = {39}, .timestamp = {160 * 39}});
  EXPECT_FALSE(receive(19202).empty()) << "a network's copy passes";
  send(19200, 19100, {.sequence_number = {42}, .timestamp = {160 * 42}});
  EXPECT_FALSE(receive(19202).empty()) << "loss passes";
  const relay_entry now = state(19100);
  EXPECT_EQ(now.receive.duplicates, 1u);
  EXPECT_EQ(now.receive.highest, 42);
}

TEST_F(KernelRelayTest, ComfortNoiseIsRelayedAndIsNoFrame) {
  socket_at(19202);
  relay_entry with_noise = entry(19200, 19102, 19202);
  with_noise.format_of[13] = 1;
  with_noise.formats[1] = {125'000ULL * 1024, 13, 1, {}};
  relay_->install(19100, with_noise);
  send(19200, 19100, {.sequence_number = {1}, .timestamp = {160}});
  send(19200, 19100, {.payload_type = {13}, .sequence_number = {2}, .timestamp = {320}});
  EXPECT_FALSE(receive(19202).empty());
  const auto noise = receive(19202);
  ASSERT_FALSE(noise.empty());
  EXPECT_EQ(noise[1], 13);
  EXPECT_EQ(state(19100).last_format, 0);
  EXPECT_EQ(state(19100).frame_number, 1);
}

TEST_F(KernelRelayTest, NothingIsRelayedAfterTheEntryIsWithdrawn) {
  socket_at(19100);
  socket_at(19202);
  relay_->install(19100, entry(19200, 19102, 19202));
  send(19200, 19100, {.sequence_number = {1}});
  EXPECT_FALSE(receive(19202).empty());
  relay_entry last{};
  relay_->withdraw(19100, last);
  EXPECT_EQ(last.receive.packets, 1u);
  send(19200, 19100, {.sequence_number = {2}});
  EXPECT_TRUE(receive(19202).empty());
  EXPECT_FALSE(receive(19100).empty());
}

// Two calls whose legs were made to point at each other: control refuses to build it, so it is built by hand.
TEST_F(KernelRelayTest, APacketInALoopAcrossTwoCallsEndsWithItsTtl) {
  for (const int port : {19100, 19102, 19104, 19106}) socket_at(static_cast<std::uint16_t>(port));
  relay_->install(19100, entry(19106, 19102, 19104));
  relay_->install(19104, entry(19102, 19106, 19100));
  relay_entry second{};
  relay_->withdraw(19104, second);
  second.receive.ssrc = second.splice.ssrc = 0xaaaa;  // what the first call makes of it
  second.ssrc = 0x1111;
  second.formats[0].payload_type = 0;
  second.format_of[8] = 0;
  relay_->install(19104, second);
  send(19106, 19100, {.sequence_number = {1}}, 64);
  usleep(50'000);
  EXPECT_EQ(state(19100).sent_packets + state(19104).sent_packets, 63u);
  EXPECT_EQ(state(19100).expired + state(19104).expired, 1u);
}

}  // namespace
}  // namespace vas::bridge
