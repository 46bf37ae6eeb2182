// Tells what came in on a media port by its first bytes. (RFC 7983 §7, RFC 5761 §4)
#pragma once

#include "base/bytes.h"

namespace vas::media {

enum class PacketKind { kStun, kDtls, kRtp, kRtcp, kUnknown };

constexpr PacketKind packet_kind(Bytes datagram) {
  if (datagram.size() < 2) return PacketKind::kUnknown;
  const std::uint8_t first = datagram[0];
  if (first <= 3) return PacketKind::kStun;
  if (first >= 20 && first <= 63) return PacketKind::kDtls;
  if (first < 128 || first > 191) return PacketKind::kUnknown;
  // RTCP packet types 192-223 are payload types 64-95 with the marker bit, which RTP then leaves alone.
  const std::uint8_t second = datagram[1];
  return second >= 192 && second <= 223 ? PacketKind::kRtcp : PacketKind::kRtp;
}

}  // namespace vas::media
