#include "signaling/gateway/trace/hep.h"

#include "base/bytes.h"

namespace vas::signaling {
namespace {

// Chunk types of vendor 0.
enum class Chunk : std::uint16_t {
  kIpFamily = 1,
  kIpProtocol = 2,
  kIpv4Source = 3,
  kIpv4Destination = 4,
  kIpv6Source = 5,
  kIpv6Destination = 6,
  kSourcePort = 7,
  kDestinationPort = 8,
  kSeconds = 9,
  kMicroseconds = 10,
  kProtocol = 11,
  kCaptureId = 12,
  kPayload = 15,
  kCorrelation = 17,
};
// The number of SIP among HEP's protocols.
constexpr std::uint32_t kSip = 1;
// Vendor, type and length, two bytes each.
constexpr std::size_t kChunkHeader = 6;
// A Call-ID; its end is cut rather than the message lost.
constexpr std::size_t kMaxCorrelation = 1024;
constexpr std::size_t kMaxPayload = 60 * 1024;  // a datagram has room for it, the rest and the correlation

void put_number(std::string& out, std::uint32_t value, std::size_t bytes) {
  for (std::size_t i = bytes; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xff);
}

void put_chunk(std::string& out, Chunk type, std::string_view payload) {
  put_number(out, 0, 2);
  put_number(out, static_cast<std::uint32_t>(type), 2);
  put_number(out, static_cast<std::uint32_t>(kChunkHeader + payload.size()), 2);
  out += payload;
}

void put_chunk(std::string& out, Chunk type, std::uint32_t value, std::size_t bytes) {
  std::string number;
  put_number(number, value, bytes);
  put_chunk(out, type, number);
}

std::string_view address_bytes(const IpAddress& address) {
  const std::size_t bytes = address.family == AddressFamily::kIpv4 ? 4 : 16;
  return as_text(Bytes(address.bytes.data(), bytes));
}

}  // namespace

std::string hep_packet(const TracedMessage& message, std::uint32_t capture_id, std::string_view correlation) {
  const bool is_ipv4 = message.from.address.family == AddressFamily::kIpv4;
  const auto since_epoch = message.at.time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_epoch);
  const auto rest = std::chrono::duration_cast<std::chrono::microseconds>(since_epoch - seconds);

  std::string chunks;
  put_chunk(chunks, Chunk::kIpFamily, is_ipv4 ? 2 : 10, 1);
  put_chunk(chunks, Chunk::kIpProtocol, message.transport == Transport::kUdp ? 17 : 6, 1);
  put_chunk(chunks, is_ipv4 ? Chunk::kIpv4Source : Chunk::kIpv6Source, address_bytes(message.from.address));
  put_chunk(chunks, is_ipv4 ? Chunk::kIpv4Destination : Chunk::kIpv6Destination,
            address_bytes(message.to.address));
  put_chunk(chunks, Chunk::kSourcePort, message.from.port, 2);
  put_chunk(chunks, Chunk::kDestinationPort, message.to.port, 2);
  put_chunk(chunks, Chunk::kSeconds, static_cast<std::uint32_t>(seconds.count()), 4);
  put_chunk(chunks, Chunk::kMicroseconds, static_cast<std::uint32_t>(rest.count()), 4);
  put_chunk(chunks, Chunk::kProtocol, kSip, 1);
  put_chunk(chunks, Chunk::kCaptureId, capture_id, 4);
  put_chunk(chunks, Chunk::kCorrelation, correlation.substr(0, kMaxCorrelation));
  put_chunk(chunks, Chunk::kPayload, std::string_view(message.text).substr(0, kMaxPayload));

  std::string packet = "HEP3";
  put_number(packet, static_cast<std::uint32_t>(packet.size() + 2 + chunks.size()), 2);
  return packet + chunks;
}

}  // namespace vas::signaling
