#include "media/rtp/rtcp_packet.h"

#include <gtest/gtest.h>

#include <array>

namespace vas::media {
namespace {

std::vector<std::uint8_t> report() {
  std::array<std::uint8_t, 256> buffer;
  const SenderInfo sender{{7}, WallTime(std::chrono::milliseconds(500)), {8000}, 50, 8000};
  const ReceiveStats::Report block{
      .ssrc = {9}, .fraction_lost = 25, .cumulative_lost = 3, .extended_highest = 65540, .jitter = 12};
  const std::size_t bytes = write_report(buffer, {7}, &sender, &block, "vas");
  return {buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(bytes)};
}

TEST(RtcpPacket, ReadsTheCompoundThatItWrote) {
  auto bytes = report();
  MutableBytes rest(bytes);
  const auto sender_report = next_rtcp(rest);
  ASSERT_TRUE(sender_report);
  EXPECT_EQ(sender_report->type, RtcpType::kSenderReport);
  EXPECT_EQ(load_u32(sender_report->bytes, 8), 2'208'988'800u);  // 1970 in NTP's seconds
  EXPECT_EQ(load_u32(sender_report->bytes, 12), 0x80000000u);    // and a half
  const auto blocks = report_blocks(*sender_report);
  ASSERT_EQ(blocks.size(), kReportBlockBytes);
  EXPECT_EQ(load_u32(blocks, 0), 9u);
  EXPECT_EQ(load_u32(blocks, 4), 25u << 24 | 3);
  EXPECT_EQ(load_u32(blocks, 8), 65540u);
  const auto sdes = next_rtcp(rest);
  ASSERT_TRUE(sdes);
  EXPECT_EQ(sdes->type, RtcpType::kSdes);
  EXPECT_TRUE(rest.empty());
}

TEST(RtcpPacket, EveryTruncationEndsTheWalkInside) {
  const auto whole = report();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::vector<std::uint8_t> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    MutableBytes rest(cut);
    while (const auto packet = next_rtcp(rest)) EXPECT_LE(report_blocks(*packet).size(), size);
    EXPECT_LE(rest.size(), size);
  }
}

TEST(RtcpPacket, ACountBeyondTheLengthHasNoBlocks) {
  auto bytes = report();
  bytes[0] = 0x80 | 31;
  MutableBytes rest(bytes);
  EXPECT_TRUE(report_blocks(*next_rtcp(rest)).empty());
}

TEST(RtcpPacket, WritesNothingWhereItDoesNotFit) {
  std::array<std::uint8_t, 20> small;
  const SenderInfo sender{};
  EXPECT_EQ(write_report(small, {1}, &sender, nullptr, "vas"), 0u);
}

}  // namespace
}  // namespace vas::media
