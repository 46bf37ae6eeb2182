// Builds RTP packets for tests. A test names only the fields it is about.
#pragma once

#include <vector>

#include "media/rtp/rtp_packet.h"

namespace vas::media {

struct RtpFields {
  PayloadType payload_type{0};
  SequenceNumber sequence_number{1};
  RtpTimestamp timestamp{160};
  Ssrc ssrc{0x1111};
  bool marker = false;
  std::vector<std::uint8_t> payload = std::vector<std::uint8_t>(160, 0xd5);
};

inline std::vector<std::uint8_t> build_rtp(const RtpFields& fields) {
  std::vector<std::uint8_t> packet(RtpPacket::kFixedHeaderBytes);
  packet[0] = 0x80;
  rewrite_header(packet,
                 {fields.marker, fields.payload_type, fields.sequence_number, fields.timestamp, fields.ssrc});
  packet.insert(packet.end(), fields.payload.begin(), fields.payload.end());
  return packet;
}

}  // namespace vas::media
