// RTCP compound packets: a bounded walk over them, reading and writing of SR, RR and SDES. (RFC 3550 §6)
#pragma once

#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/time.h"
#include "media/rtp/receive_stats.h"
#include "media/rtp/rtp_types.h"

namespace vas::media {

enum class RtcpType : std::uint8_t {
  kSenderReport = 200,
  kReceiverReport = 201,
  kSdes = 202,
  kBye = 203,
  kApp = 204
};

// One packet of a compound. `bytes` includes its header. Borrows the datagram.
struct RtcpView {
  RtcpType type;
  std::uint8_t count = 0;  // report blocks, or chunks
  MutableBytes bytes;
};

// Takes the next packet off the front of `compound`. Nothing when what is left is no well-formed packet.
std::optional<RtcpView> next_rtcp(MutableBytes& compound);

// Offsets inside SR and RR: the sender's SSRC, then (SR only) 20 bytes of sender information, then blocks.
inline constexpr std::size_t kReportBlockBytes = 24;

// The report blocks of an SR or RR, each kReportBlockBytes long;
// empty when `packet` is too short for its count.
MutableBytes report_blocks(const RtcpView& packet);

constexpr bool is_report(const RtcpView& packet) {
  return packet.type == RtcpType::kSenderReport || packet.type == RtcpType::kReceiverReport;
}
bool is_padded(const RtcpView& packet);
// True for an SR or RR that holds all that its type and its count say.
bool is_whole_report(const RtcpView& packet);
// True for an SDES of one chunk whose items end inside it (RFC 3550 §6.5).
bool is_whole_sdes(const RtcpView& packet);
// Takes the sender's information out of a whole SR, in place: its blocks go on as an RR.
void make_receiver_report(RtcpView& packet);

// The middle 32 bits of an NTP timestamp: what LSR carries (RFC 3550 §6.4.1).
std::uint32_t ntp_middle(WallTime time);

struct SenderInfo {
  Ssrc ssrc;
  WallTime wall_time;
  RtpTimestamp timestamp;
  std::uint32_t packets = 0;
  std::uint32_t octets = 0;
};

// Writes SR (or RR without `sender`) with at most one block, then SDES with `cname`. Returns the bytes
// written, 0 when `out` is too small.
std::size_t write_report(MutableBytes out, Ssrc reporter, const SenderInfo* sender,
                         const ReceiveStats::Report* block, std::string_view cname);

}  // namespace vas::media
