#include "media/rtp/rtp_packet.h"

namespace vas::media {
namespace {

// RFC 3550 §5.1.
constexpr int kVersion = 2;

std::optional<std::size_t> header_length(Bytes datagram) {
  const std::size_t csrc_count = datagram[0] & 0x0f;
  const bool has_extension = (datagram[0] & 0x10) != 0;

  std::size_t length = RtpPacket::kFixedHeaderBytes + 4 * csrc_count;
  if (has_extension) {
    if (datagram.size() < length + 4) return std::nullopt;
    const std::size_t extension_words = load_u16(datagram, length + 2);  // RFC 3550 §5.3.1
    length += 4 + 4 * extension_words;
  }
  if (datagram.size() < length) return std::nullopt;
  return length;
}

}  // namespace

std::optional<std::size_t> rtp_header_bytes(Bytes datagram) {
  if (datagram.size() < RtpPacket::kFixedHeaderBytes) return std::nullopt;
  if (datagram[0] >> 6 != kVersion) return std::nullopt;
  return header_length(datagram);
}

std::optional<RtpPacket> RtpPacket::parse(Bytes datagram) {
  const auto header_bytes = rtp_header_bytes(datagram);
  if (!header_bytes) return std::nullopt;
  std::size_t payload_bytes = datagram.size() - *header_bytes;

  const bool has_padding = (datagram[0] & 0x20) != 0;
  if (has_padding) {
    const std::size_t padding_bytes = datagram.back();  // it counts itself, so never 0
    if (padding_bytes == 0 || padding_bytes > payload_bytes) return std::nullopt;
    payload_bytes -= padding_bytes;
  }
  return RtpPacket(datagram, *header_bytes, payload_bytes);
}

void rewrite_header(MutableBytes datagram, const RtpHeader& header) {
  datagram[1] = static_cast<std::uint8_t>((header.marker ? 0x80 : 0x00) | header.payload_type.value);
  store_u16(datagram, 2, header.sequence_number.value);
  store_u32(datagram, 4, header.timestamp.value);
  store_u32(datagram, 8, header.ssrc.value);
}

}  // namespace vas::media
