// A read-only view of one RTP packet, and in-place rewriting of its header. (RFC 3550 §5.1)
#pragma once

#include <optional>

#include "base/bytes.h"
#include "media/rtp/rtp_types.h"

namespace vas::media {

//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |                           timestamp                           |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |                             SSRC                              |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |   CSRC list (0-15 words), extension if X, payload, padding    |
//
// Lifetime: borrows the datagram it was parsed from.
class RtpPacket {
 public:
  // RFC 3550 §5.1: up to the SSRC.
  static constexpr std::size_t kFixedHeaderBytes = 12;

  // `datagram`: one plain (already unprotected) UDP payload, any bytes at all. Nothing if it is not
  // RTP version 2, or is shorter than its own CSRC list, extension or padding says. RTCP is told
  // apart before this (packet_kind.h).
  static std::optional<RtpPacket> parse(Bytes datagram);

  bool marker() const { return (datagram_[1] & 0x80) != 0; }
  PayloadType payload_type() const { return {static_cast<std::uint8_t>(datagram_[1] & 0x7f)}; }
  SequenceNumber sequence_number() const { return {load_u16(datagram_, 2)}; }
  RtpTimestamp timestamp() const { return {load_u32(datagram_, 4)}; }
  Ssrc ssrc() const { return {load_u32(datagram_, 8)}; }
  Bytes payload() const { return datagram_.subspan(header_bytes_, payload_bytes_); }  // no padding

 private:
  RtpPacket(Bytes datagram, std::size_t header_bytes, std::size_t payload_bytes)
      : datagram_(datagram), header_bytes_(header_bytes), payload_bytes_(payload_bytes) {}

  Bytes datagram_;
  std::size_t header_bytes_;
  std::size_t payload_bytes_;
};

// Bytes from the start of any UDP payload to its RTP payload, or nothing if they are not all there. All that
// can be said of a packet that is still protected.
std::optional<std::size_t> rtp_header_bytes(Bytes datagram);

// The header fields that a relay owns.
struct RtpHeader {
  bool marker = false;
  PayloadType payload_type;
  SequenceNumber sequence_number;
  RtpTimestamp timestamp;
  Ssrc ssrc;
};

// `datagram` has passed RtpPacket::parse; its CSRCs, extension and payload stay as they are.
void rewrite_header(MutableBytes datagram, const RtpHeader& header);

}  // namespace vas::media
