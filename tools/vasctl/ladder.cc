#include "tools/vasctl/ladder.h"

#include <algorithm>
#include <boost/json.hpp>
#include <ctime>

#include "base/bytes.h"
#include "base/text.h"

namespace vas::vasctl {
namespace {

namespace json = boost::json;

constexpr std::size_t kColumn = 30;

std::string field(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

// "INVITE", or "200 OK", with its CSeq's method where it is a response.
std::string label(const Message& message) {
  const std::string_view text = message.text;
  const std::string first = printable(trim(text.substr(0, text.find('\n'))));
  const std::string has_sdp = text.find("\r\nm=audio") != std::string_view::npos ? " (SDP)" : "";
  if (!first.starts_with("SIP/2.0 ")) return first.substr(0, first.find(' ')) + has_sdp;
  std::string said = first.substr(8);
  const auto cseq = text.find("\nCSeq:");
  if (cseq != std::string_view::npos) {
    const std::string_view line = trim(text.substr(cseq + 6, text.find('\n', cseq + 1) - cseq - 6));
    said += " (" + printable(line.substr(line.find(' ') + 1)) + ")";
  }
  return said + has_sdp;
}

std::size_t column_of(std::vector<Endpoint>& parties, const Endpoint& party) {
  const auto found = std::find(parties.begin(), parties.end(), party);
  if (found != parties.end()) return static_cast<std::size_t>(found - parties.begin());
  parties.push_back(party);
  return parties.size() - 1;
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

std::string arrow(std::size_t from, std::size_t to, std::size_t columns, const std::string& said) {
  const std::size_t left = std::min(from, to) * kColumn + kColumn / 2;
  const std::size_t right = std::max(from, to) * kColumn + kColumn / 2;
  std::string line(columns * kColumn, ' ');
  for (std::size_t column = 0; column < columns; ++column) line[column * kColumn + kColumn / 2] = '|';
  for (std::size_t i = left + 1; i < right; ++i) line[i] = '-';
  if (from < to) line[right - 1] = '>';
  if (from > to) line[left + 1] = '<';
  const std::size_t room = right - left > 4 ? right - left - 4 : 0;
  const std::string shown = said.substr(0, room);
  line.replace(left + 2 + (room - shown.size()) / 2, shown.size(), shown);
  return line;
}

// ---- pcap ----

void put_little(std::string& out, std::uint32_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

void put_big(std::string& out, std::uint32_t value, std::size_t bytes) {
  for (std::size_t i = bytes; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xff);
}

// The one's complement sum of RFC 1071.
std::uint16_t checksum(std::string_view bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(bytes[i]);
    sum += i % 2 == 0 ? std::uint32_t{byte} << 8 : byte;
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum & 0xffff);
}

std::string_view address_bytes(const IpAddress& address) {
  return as_text(Bytes(address.bytes.data(), address.family == AddressFamily::kIpv4 ? 4 : 16));
}

std::string udp_datagram(const Message& message) {
  const auto length = static_cast<std::uint32_t>(8 + message.text.size());
  std::string header;
  put_big(header, message.from.port, 2);
  put_big(header, message.to.port, 2);
  put_big(header, length, 2);
  std::string pseudo(address_bytes(message.from.address));
  pseudo += address_bytes(message.to.address);
  put_big(pseudo, length, 4);
  put_big(pseudo, 17, 4);
  const std::uint16_t sum = checksum(pseudo + header + std::string(2, '\0') + message.text);
  put_big(header, sum == 0 ? 0xffff : sum, 2);
  return header + message.text;
}

std::string ip_packet(const Message& message) {
  const std::string payload = udp_datagram(message);
  std::string header;
  if (message.from.address.family == AddressFamily::kIpv6) {
    put_big(header, 0x60000000, 4);
    put_big(header, static_cast<std::uint32_t>(payload.size()), 2);
    header += std::string("\x11\x40", 2);  // UDP, hop limit 64
    header += address_bytes(message.from.address);
    header += address_bytes(message.to.address);
    return header + payload;
  }
  put_big(header, 0x4500, 2);
  put_big(header, static_cast<std::uint32_t>(20 + payload.size()), 2);
  put_big(header, 0, 4);
  put_big(header, 0x4011, 2);  // TTL 64, UDP
  put_big(header, 0, 2);
  header += address_bytes(message.from.address);
  header += address_bytes(message.to.address);
  const std::uint16_t sum = checksum(header);
  header[10] = static_cast<char>(sum >> 8);
  header[11] = static_cast<char>(sum & 0xff);
  return header + payload;
}

// Microseconds since 1970 of "2026-11-22T06:08:00.123Z".
std::int64_t microseconds_of(const std::string& rfc3339) {
  std::tm time{};
  const char* rest = strptime(rfc3339.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
  const std::int64_t seconds = timegm(&time);
  const std::int64_t milliseconds =
      rest != nullptr && *rest == '.' ? parse_number<int>(std::string_view(rest + 1, 3)).value_or(0) : 0;
  return seconds * 1'000'000 + milliseconds * 1'000;
}

}  // namespace

Result<std::vector<Message>> parse_trace(std::string_view text) {
  boost::system::error_code failure;
  const json::value value = json::parse(json::string_view(text.data(), text.size()), failure);
  const auto* list = !failure && value.is_object() ? value.as_object().if_contains("messages") : nullptr;
  if (list == nullptr || !list->is_array()) return Error{"the node's answer is no trace"};
  std::vector<Message> messages;
  for (const json::value& each : list->as_array()) {
    if (!each.is_object()) continue;
    const json::object& object = each.as_object();
    messages.push_back({field(object, "at"), field(object, "transport"),
                        Endpoint::parse(field(object, "from")).value_or(Endpoint{}),
                        Endpoint::parse(field(object, "to")).value_or(Endpoint{}), field(object, "text")});
  }
  return messages;
}

std::string ladder(const std::vector<Message>& messages) {
  constexpr std::size_t kTime = 14;  // "06:08:00.123  "
  std::vector<Endpoint> parties;
  for (const Message& each : messages) {
    column_of(parties, each.from);
    column_of(parties, each.to);
  }
  std::string out(kTime, ' ');
  for (const Endpoint& party : parties) {
    const std::string name = to_string(party);
    const std::size_t before = name.size() < kColumn ? (kColumn - name.size()) / 2 : 0;
    out += padded(std::string(before, ' ') + name, kColumn);
  }
  out += '\n';
  for (const Message& each : messages) {
    const std::string time = each.at.size() >= 23 ? each.at.substr(11, 12) : each.at;
    out += padded(time, kTime) +
           arrow(column_of(parties, each.from), column_of(parties, each.to), parties.size(), label(each)) +
           "  " + each.transport + "\n";
  }
  return out;
}

std::string pcap(const std::vector<Message>& messages) {
  constexpr std::uint32_t kMagic = 0xa1b2c3d4;
  constexpr std::uint32_t kRawIp = 101;
  std::string out;
  put_little(out, kMagic, 4);
  put_little(out, 2, 2);
  put_little(out, 4, 2);
  put_little(out, 0, 4);
  put_little(out, 0, 4);
  put_little(out, 65535, 4);
  put_little(out, kRawIp, 4);
  for (const Message& each : messages) {
    const std::string packet = ip_packet(each);
    const std::int64_t at = microseconds_of(each.at);
    put_little(out, static_cast<std::uint32_t>(at / 1'000'000), 4);
    put_little(out, static_cast<std::uint32_t>(at % 1'000'000), 4);
    put_little(out, static_cast<std::uint32_t>(packet.size()), 4);
    put_little(out, static_cast<std::uint32_t>(packet.size()), 4);
    out += packet;
  }
  return out;
}

}  // namespace vas::vasctl
