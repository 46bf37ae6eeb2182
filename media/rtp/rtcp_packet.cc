#include "media/rtp/rtcp_packet.h"

#include <algorithm>

namespace vas::media {
namespace {

// RFC 3550 §6.4.1: version, count, type and length, without the SSRC behind it.
constexpr std::size_t kHeaderBytes = 4;
// NTP and RTP timestamps and two counts (RFC 3550 §6.4.1).
constexpr std::size_t kSenderInfoBytes = 20;
constexpr std::uint64_t kNtpEpochOffset = 2'208'988'800;  // seconds from 1900 to 1970
// RFC 3550 §6.5.1.
constexpr std::uint8_t kSdesCname = 1;

std::uint64_t ntp(WallTime time) {
  const auto milliseconds = static_cast<std::uint64_t>(time.time_since_epoch().count());
  const std::uint64_t seconds = milliseconds / 1000 + kNtpEpochOffset;
  const std::uint64_t fraction = (milliseconds % 1000 << 32) / 1000;
  return seconds << 32 | fraction;
}

void write_header(MutableBytes out, RtcpType type, std::size_t count, std::size_t bytes) {
  out[0] = static_cast<std::uint8_t>(0x80 | count);
  out[1] = static_cast<std::uint8_t>(type);
  store_u16(out, 2, static_cast<std::uint16_t>(bytes / 4 - 1));
}

void write_block(MutableBytes out, const ReceiveStats::Report& block) {
  store_u32(out, 0, block.ssrc.value);
  store_u32(out, 4, std::uint32_t{block.fraction_lost} << 24 | (block.cumulative_lost & 0xffffff));
  store_u32(out, 8, block.extended_highest);
  store_u32(out, 12, block.jitter);
  store_u32(out, 16, 0);  // LSR and DLSR: the peer sends no reports, or we would not write one
  store_u32(out, 20, 0);
}

}  // namespace

std::optional<RtcpView> next_rtcp(MutableBytes& compound) {
  if (compound.size() < kHeaderBytes || compound[0] >> 6 != 2) return {};
  const std::size_t bytes = 4 * (std::size_t{load_u16(compound, 2)} + 1);
  if (bytes > compound.size()) return {};
  RtcpView view{static_cast<RtcpType>(compound[1]), static_cast<std::uint8_t>(compound[0] & 0x1f),
                compound.first(bytes)};
  compound = compound.subspan(bytes);
  return view;
}

MutableBytes report_blocks(const RtcpView& packet) {
  const std::size_t first =
      kHeaderBytes + 4 + (packet.type == RtcpType::kSenderReport ? kSenderInfoBytes : 0);
  const std::size_t bytes = packet.count * kReportBlockBytes;
  if (packet.bytes.size() < first + bytes) return {};
  return packet.bytes.subspan(first, bytes);
}

bool is_padded(const RtcpView& packet) { return (packet.bytes[0] & 0x20) != 0; }

bool is_whole_report(const RtcpView& packet) {
  if (!is_report(packet)) return false;
  const std::size_t blocks_at =
      kHeaderBytes + 4 + (packet.type == RtcpType::kSenderReport ? kSenderInfoBytes : 0);
  return packet.bytes.size() >= blocks_at + packet.count * kReportBlockBytes;
}

bool is_whole_sdes(const RtcpView& packet) {
  if (packet.type != RtcpType::kSdes || packet.count != 1) return false;
  const Bytes bytes = packet.bytes;
  std::size_t at = kHeaderBytes + 4;
  while (at + 1 < bytes.size() && bytes[at] != 0) at += 2 + std::size_t{bytes[at + 1]};
  return at < bytes.size() && bytes[at] == 0;
}

void make_receiver_report(RtcpView& packet) {
  // Behind the header and the sender's SSRC.
  constexpr std::size_t kInfoAt = kHeaderBytes + 4;
  const auto info = packet.bytes.begin() + kInfoAt;
  std::copy(info + kSenderInfoBytes, packet.bytes.end(), info);
  packet.type = RtcpType::kReceiverReport;
  packet.bytes = packet.bytes.first(packet.bytes.size() - kSenderInfoBytes);
  packet.bytes[1] = static_cast<std::uint8_t>(packet.type);
  store_u16(packet.bytes, 2, static_cast<std::uint16_t>(packet.bytes.size() / 4 - 1));
}

std::uint32_t ntp_middle(WallTime time) { return static_cast<std::uint32_t>(ntp(time) >> 16); }

std::size_t write_report(MutableBytes out, Ssrc reporter, const SenderInfo* sender,
                         const ReceiveStats::Report* block, std::string_view cname) {
  cname = cname.substr(0, 255);
  const std::size_t report_bytes = kHeaderBytes + 4 + (sender != nullptr ? kSenderInfoBytes : 0) +
                                   (block != nullptr ? kReportBlockBytes : 0);
  const std::size_t sdes_bytes =
      (kHeaderBytes + 4 + 2 + cname.size() + 1 + 3) / 4 * 4;  // ends in 1-4 zero bytes
  if (out.size() < report_bytes + sdes_bytes) return 0;
  std::fill_n(out.begin(), report_bytes + sdes_bytes, std::uint8_t{0});

  write_header(out, sender != nullptr ? RtcpType::kSenderReport : RtcpType::kReceiverReport,
               block != nullptr ? 1 : 0, report_bytes);
  store_u32(out, 4, reporter.value);
  if (sender != nullptr) {
    const std::uint64_t now = ntp(sender->wall_time);
    store_u32(out, 8, static_cast<std::uint32_t>(now >> 32));
    store_u32(out, 12, static_cast<std::uint32_t>(now));
    store_u32(out, 16, sender->timestamp.value);
    store_u32(out, 20, sender->packets);
    store_u32(out, 24, sender->octets);
  }
  if (block != nullptr) write_block(out.subspan(report_bytes - kReportBlockBytes), *block);

  MutableBytes sdes = out.subspan(report_bytes, sdes_bytes);
  write_header(sdes, RtcpType::kSdes, 1, sdes_bytes);
  store_u32(sdes, 4, reporter.value);
  sdes[8] = kSdesCname;
  sdes[9] = static_cast<std::uint8_t>(cname.size());
  std::copy(cname.begin(), cname.end(), sdes.begin() + 10);
  return report_bytes + sdes_bytes;
}

}  // namespace vas::media
