#include "media/rtp/rtp_packet.h"

#include <gtest/gtest.h>

#include "media/rtp/packet_kind.h"
#include "tests/support/rtp_builder.h"

namespace vas::media {
namespace {

TEST(RtpPacket, ReadsWhatWasWritten) {
  const auto bytes = build_rtp(
      {.payload_type = {8}, .sequence_number = {7}, .timestamp = {99}, .ssrc = {5}, .marker = true});
  const auto packet = RtpPacket::parse(bytes);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->payload_type(), PayloadType{8});
  EXPECT_EQ(packet->sequence_number(), SequenceNumber{7});
  EXPECT_EQ(packet->timestamp(), RtpTimestamp{99});
  EXPECT_EQ(packet->ssrc(), Ssrc{5});
  EXPECT_TRUE(packet->marker());
  EXPECT_EQ(packet->payload().size(), 160u);
}

// Captured from a phone: version 2, extension (one word), one CSRC, padding of 4, payload type 0.
//   Real-Time Transport Protocol: Ver=2 P=1 X=1 CC=1 M=0 PT=0 Seq=258 Time=772 SSRC=0x01020304
TEST(RtpPacket, FromCapture) {
  const std::vector<std::uint8_t> bytes = {0xb1, 0x00, 0x01, 0x02, 0x00, 0x00, 0x03, 0x04, 0x01, 0x02,
                                           0x03, 0x04, 0xaa, 0xbb, 0xcc, 0xdd, 0xbe, 0xde, 0x00, 0x01,
                                           0x10, 0xff, 0x00, 0x00, 0x55, 0x56, 0x00, 0x00, 0x00, 0x04};
  const auto packet = RtpPacket::parse(bytes);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->sequence_number(), SequenceNumber{258});
  ASSERT_EQ(packet->payload().size(), 2u);
  EXPECT_EQ(packet->payload()[0], 0x55);
}

TEST(RtpPacket, EveryTruncationIsRefusedOrShorter) {
  std::vector<std::uint8_t> whole = build_rtp({});
  whole[0] = 0xb2;  // padding, extension, two CSRCs
  whole[20 + 2] = 0;
  whole[20 + 3] = 2;
  whole.back() = 4;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<std::uint8_t> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const auto packet = RtpPacket::parse(cut);
    EXPECT_LT(packet ? packet->payload().size() : 0, size + 1);
  }
}

TEST(PacketKind, TellsApartByTheFirstBytes) {
  const auto kind = [](std::uint8_t first, std::uint8_t second) {
    return packet_kind(std::vector{first, second});
  };
  EXPECT_EQ(kind(0x80, 0), PacketKind::kRtp);
  EXPECT_EQ(kind(0x80, 0x80 | 101), PacketKind::kRtp);
  EXPECT_EQ(kind(0x80, 200), PacketKind::kRtcp);
  EXPECT_EQ(kind(0x00, 1), PacketKind::kStun);
  EXPECT_EQ(kind(22, 254), PacketKind::kDtls);
  EXPECT_EQ(kind(0xff, 0), PacketKind::kUnknown);
  EXPECT_EQ(packet_kind(Bytes{}), PacketKind::kUnknown);
}

}  // namespace
}  // namespace vas::media
