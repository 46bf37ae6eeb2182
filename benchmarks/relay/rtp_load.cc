// Sends valid RTP of many streams at a steady rate and measures what comes back.
//
//   rtp-load INTERFACE SOURCE-MAC DESTINATION-MAC STREAMS-FILE FIRST-NUMBER PACKETS-PER-SECOND SECONDS
//
// The file has a line a stream: source address and port, destination address and port; for SRTP also the
// suite and the master key and salt in hex digits. Each stream begins at FIRST-NUMBER, so that one run goes
// on where the last ended. If there is a key in the file, packets have no stamp, delays are not measured, and
// encrypted ones are made before the run begins. Packets leave by a packet socket in batches and come back to
// a BPF program at the interface's ingress, so that the generator costs little. Prints {"sent", "received",
// "streams_without_packets", "rate", "p50_us", "p99_us", "p999_us", "max_us"}.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "benchmarks/relay/stamp.h"
#include "bridge/kernel/tcx.h"
#include "media/srtp/srtp_session.h"
#include "sink.skel.h"

namespace {

constexpr std::size_t kPayloadBytes = 160;  // 20 ms of G.711
constexpr std::size_t kRtpBytes = 12;
constexpr std::size_t kUdpBytes = sizeof(udphdr) + kRtpBytes + kPayloadBytes;
constexpr std::size_t kTagBytes = 16;  // at most
constexpr std::size_t kFrameBytes = sizeof(ether_header) + sizeof(iphdr) + kUdpBytes;
constexpr std::size_t kRtpAt = sizeof(ether_header) + sizeof(iphdr) + sizeof(udphdr);
constexpr std::size_t kUdpAt = sizeof(ether_header) + sizeof(iphdr);
constexpr std::size_t kBatch = 64;
constexpr long kIntervalNs = 100'000;

struct Stream {
  std::array<std::uint8_t, kFrameBytes> frame{};
  std::uint32_t fixed_sum = 0;  // of the UDP checksum: what does not change from packet to packet
  std::uint16_t number = 0;
  std::uint32_t timestamp = 0;
  std::uint64_t sent = 0;
  std::unique_ptr<vas::media::SrtpProtector> sealer;
  std::vector<std::vector<std::uint8_t>> sealed;  // whole frames, in the order in which they are sent
};

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "rtp-load: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

std::uint64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint32_t sum16(const std::uint8_t* bytes, std::size_t count, std::uint32_t sum) {
  for (std::size_t i = 0; i < count; i += 2) {
    std::uint16_t word = 0;
    std::memcpy(&word, bytes + i, 2);
    sum += word;
  }
  return sum;
}

std::uint16_t folded(std::uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::array<std::uint8_t, 6> parse_mac(const char* text) {
  std::array<unsigned, 6> parts{};
  if (std::sscanf(text, "%x:%x:%x:%x:%x:%x", &parts[0], &parts[1], &parts[2], &parts[3], &parts[4],
                  &parts[5]) != 6)
    fail(std::string("not a MAC address: ") + text);
  std::array<std::uint8_t, 6> mac{};
  for (std::size_t i = 0; i < 6; ++i) mac[i] = static_cast<std::uint8_t>(parts[i]);
  return mac;
}

template <typename Value>
void put(Stream& stream, std::size_t at, const Value& value) {
  std::memcpy(stream.frame.data() + at, &value, sizeof value);
}

// The sum with everything that changes still 0; the pseudo header's addresses, protocol and length besides.
std::uint32_t fixed_sum_of(const Stream& stream) {
  const std::uint32_t sum = sum16(stream.frame.data() + kUdpAt, kUdpBytes, 0);
  return sum16(stream.frame.data() + sizeof(ether_header) + offsetof(iphdr, saddr), 8, sum) +
         htons(IPPROTO_UDP) + htons(kUdpBytes);
}

Stream make_stream(std::istream& line, std::uint32_t index, char** arguments) {
  const char* const source_mac = arguments[2];
  const char* const destination_mac = arguments[3];
  const auto first_number = static_cast<std::uint32_t>(std::strtoul(arguments[5], nullptr, 10));
  std::string from;
  std::string to;
  std::uint16_t from_port = 0;
  std::uint16_t to_port = 0;
  line >> from >> from_port >> to >> to_port;
  Stream stream;
  put(stream, 0, parse_mac(destination_mac));
  put(stream, 6, parse_mac(source_mac));
  put(stream, 12, htons(ETHERTYPE_IP));
  iphdr ip{};
  ip.version = 4;
  ip.ihl = 5;
  ip.ttl = 64;
  ip.protocol = IPPROTO_UDP;
  ip.tot_len = htons(sizeof ip + kUdpBytes);
  if (inet_pton(AF_INET, from.c_str(), &ip.saddr) != 1 || inet_pton(AF_INET, to.c_str(), &ip.daddr) != 1)
    fail("not a line of streams: " + from + " " + to);
  ip.check = folded(sum16(reinterpret_cast<std::uint8_t*>(&ip), sizeof ip, 0));
  put(stream, sizeof(ether_header), ip);
  udphdr udp{};
  udp.source = htons(from_port);
  udp.dest = htons(to_port);
  udp.len = htons(kUdpBytes);
  put(stream, kUdpAt, udp);
  const std::uint32_t ssrc = htonl(0x10000 + index);
  stream.frame[kRtpAt] = 0x80;
  put(stream, kRtpAt + 8, ssrc);
  std::memset(stream.frame.data() + kRtpAt + kRtpBytes, 0xd5, kPayloadBytes);
  const stamp mark{kStampMagic, index, 0, 0};
  put(stream, kRtpAt + kRtpBytes, mark);
  stream.number = static_cast<std::uint16_t>(index * 7919 + first_number);
  stream.timestamp = first_number * static_cast<std::uint32_t>(kPayloadBytes);
  stream.fixed_sum = fixed_sum_of(stream);
  return stream;
}

std::unique_ptr<vas::media::SrtpProtector> make_sealer(std::istream& line) {
  using namespace vas::media;
  std::string name;
  std::string digits;
  if (!(line >> name >> digits)) return nullptr;
  std::vector<std::uint8_t> master;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    master.push_back(static_cast<std::uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  for (const SrtpSuiteShape& each : srtp_suites()) {
    if (each.name != name) continue;
    if (const auto key = SrtpKey::from(each.suite, master))
      return make_srtp_protector(SrtpBackend::kOpenssl, *key);
  }
  fail("not a suite and its key: " + name);
}

// UDP's checksum may be absent over IPv4.
void seal(Stream& stream, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    std::vector<std::uint8_t> frame(stream.frame.begin(), stream.frame.end());
    frame.resize(kFrameBytes + vas::media::kSrtpMaxRoom);
    const std::uint16_t number = htons(++stream.number);
    const std::uint32_t timestamp = htonl(stream.timestamp += kPayloadBytes);
    std::memcpy(frame.data() + kRtpAt + 2, &number, sizeof number);
    std::memcpy(frame.data() + kRtpAt + 4, &timestamp, sizeof timestamp);
    vas::media::PacketBuffer packet{vas::MutableBytes(frame).subspan(kRtpAt), kRtpBytes + kPayloadBytes};
    if (stream.sealer->protect(packet) != vas::media::SrtpResult::kOk) fail("cannot encrypt");
    frame.resize(kRtpAt + packet.size());
    iphdr ip{};
    std::memcpy(&ip, frame.data() + sizeof(ether_header), sizeof ip);
    ip.tot_len = htons(static_cast<std::uint16_t>(frame.size() - sizeof(ether_header)));
    ip.check = 0;
    ip.check = folded(sum16(reinterpret_cast<std::uint8_t*>(&ip), sizeof ip, 0));
    std::memcpy(frame.data() + sizeof(ether_header), &ip, sizeof ip);
    const std::uint16_t udp_bytes = htons(static_cast<std::uint16_t>(frame.size() - kUdpAt));
    std::memcpy(frame.data() + kUdpAt + offsetof(udphdr, len), &udp_bytes, sizeof udp_bytes);
    std::memset(frame.data() + kUdpAt + offsetof(udphdr, check), 0, 2);
    stream.sealed.push_back(std::move(frame));
  }
}

void advance(Stream& stream, std::uint64_t at_ns) {
  const std::uint16_t number = htons(++stream.number);
  const std::uint32_t timestamp = htonl(stream.timestamp += kPayloadBytes);
  const std::array<std::uint64_t, 2> count_and_time{stream.sent++, at_ns};
  put(stream, kRtpAt + 2, number);
  put(stream, kRtpAt + 4, timestamp);
  put(stream, kRtpAt + kRtpBytes + 8, count_and_time);
  std::uint32_t sum = stream.fixed_sum + number;
  sum = sum16(reinterpret_cast<const std::uint8_t*>(&timestamp), 4, sum);
  sum = sum16(reinterpret_cast<const std::uint8_t*>(&count_and_time), 16, sum);
  put(stream, kUdpAt + offsetof(udphdr, check), folded(sum));
}

iovec next_frame(Stream& stream, std::uint64_t at_ns) {
  if (stream.sealer) {
    auto& frame = stream.sealed[stream.sent++ % stream.sealed.size()];
    return {frame.data(), frame.size()};
  }
  advance(stream, at_ns);
  return {stream.frame.data(), stream.frame.size()};
}

// Encrypted packets show no stamp; so that all are counted alike, plain ones beside them have none either.
// Their streams begin low: a receiver takes the first number that it sees to be in the first round of 65,536.
void hide_stamps(std::vector<Stream>& streams, std::uint64_t packets_each) {
  for (Stream& stream : streams) {
    const stamp none{};
    put(stream, kRtpAt + kRtpBytes, none);
    stream.fixed_sum = fixed_sum_of(stream);
    stream.number = static_cast<std::uint16_t>(stream.timestamp / kPayloadBytes);
    if (stream.sealer) seal(stream, packets_each);
  }
}

int open_packet_socket(unsigned ifindex) {
  const int socket = ::socket(AF_PACKET, SOCK_RAW, 0);
  if (socket < 0) fail("no packet socket");
  const int yes = 1;
  const int bytes = 8 << 20;
  setsockopt(socket, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes);
  setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(ifindex);
  if (bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("cannot bind");
  return socket;
}

// Sends on schedule: after each interval whatever is due by then. Returns how many left.
std::uint64_t send_all(int socket, std::vector<Stream>& streams, double rate, double seconds) {
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> vectors{};
  for (std::size_t i = 0; i < kBatch; ++i) messages[i].msg_hdr = {.msg_iov = &vectors[i], .msg_iovlen = 1};
  const std::uint64_t start = now_ns();
  const auto total = static_cast<std::uint64_t>(rate * seconds);
  std::uint64_t sent = 0;
  std::size_t next = 0;
  timespec wake{};
  while (sent < total) {
    const std::uint64_t now = now_ns();
    const std::uint64_t due =
        std::min(total, static_cast<std::uint64_t>(static_cast<double>(now - start) * rate / 1e9));
    // A generator that has fallen behind by more than 50 ms gives up those packets: the rate shows it.
    if (static_cast<double>(now - start) / 1e9 > seconds + 0.05) break;
    while (sent < due) {
      const std::size_t count = std::min<std::uint64_t>({kBatch, due - sent, streams.size()});
      const std::uint64_t at = now_ns();
      for (std::size_t i = 0; i < count; ++i) {
        Stream& stream = streams[next];
        next = next + 1 == streams.size() ? 0 : next + 1;
        vectors[i] = next_frame(stream, at);
      }
      const int done = sendmmsg(socket, messages.data(), static_cast<unsigned>(count), 0);
      if (done < 0 && errno != ENOBUFS && errno != EAGAIN) fail("cannot send");
      sent += done > 0 ? static_cast<std::uint64_t>(done) : 0;
    }
    const std::uint64_t until = now + kIntervalNs;
    wake = {static_cast<time_t>(until / 1'000'000'000), static_cast<long>(until % 1'000'000'000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, nullptr);
  }
  return sent;
}

double bucket_us(std::size_t bucket) {
  if (bucket < 32) return static_cast<double>(bucket) / 10;
  const std::size_t octave = bucket / 32;
  return static_cast<double>((bucket % 32 + 1) * (1ULL << octave)) / 10;
}

double percentile(const std::vector<std::uint64_t>& buckets, std::uint64_t total, double share) {
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    seen += buckets[i];
    if (static_cast<double>(seen) >= share * static_cast<double>(total) && seen > 0) return bucket_us(i);
  }
  return 0;
}

std::vector<std::uint64_t> read_array(const bpf_map* map, std::size_t count) {
  std::vector<std::uint64_t> values(count);
  for (std::uint32_t i = 0; i < count; ++i) bpf_map_lookup_elem(bpf_map__fd(map), &i, &values[i]);
  return values;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    std::fprintf(stderr,
                 "usage: rtp-load INTERFACE SOURCE-MAC DESTINATION-MAC STREAMS-FILE FIRST-NUMBER "
                 "PACKETS-PER-SECOND SECONDS\n");
    return 2;
  }
  const unsigned ifindex = if_nametoindex(argv[1]);
  if (ifindex == 0) fail(argv[1]);
  std::ifstream file(argv[4]);
  std::vector<Stream> streams;
  bool has_keys = false;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    streams.push_back(make_stream(words, static_cast<std::uint32_t>(streams.size()), argv));
    streams.back().sealer = make_sealer(words);
    has_keys = has_keys || streams.back().sealer;
  }
  if (streams.empty() || streams.size() > kMaxStreams) fail("no streams, or too many of them");
  const double rate = std::atof(argv[6]);
  const double seconds = std::atof(argv[7]);
  if (has_keys) hide_stamps(streams, static_cast<std::uint64_t>(rate * seconds) / streams.size() + 1);

  libbpf_set_print(nullptr);
  sink_bpf* sink = sink_bpf__open_and_load();
  if (sink == nullptr) fail("cannot load the sink");
  const int link = vas::bridge::link_to_ingress(ifindex, bpf_program__fd(sink->progs.sink));
  if (link < 0) fail("cannot attach the sink");

  const int socket = open_packet_socket(ifindex);
  const std::uint64_t begun = now_ns();
  const std::uint64_t sent = send_all(socket, streams, rate, seconds);
  const double took = static_cast<double>(now_ns() - begun) / 1e9;
  usleep(300'000);  // what is still under way

  const auto received = read_array(sink->maps.received, streams.size());
  const auto latency = read_array(sink->maps.latency, kBuckets);
  std::uint64_t total = has_keys ? read_array(sink->maps.opaque, 1)[0] : 0;
  std::size_t silent = 0;
  for (const std::uint64_t each : received) {
    total += each;
    silent += each == 0 && !has_keys;
  }
  std::size_t longest = 0;
  for (std::size_t i = 0; i < latency.size(); ++i) {
    if (latency[i] > 0) longest = i;
  }
  std::printf(
      "{\"sent\": %llu, \"received\": %llu, \"streams_without_packets\": %zu, \"rate\": %.0f, \"p50_us\": "
      "%.1f, "
      "\"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f}\n",
      static_cast<unsigned long long>(sent), static_cast<unsigned long long>(total), silent,
      static_cast<double>(sent) / took, percentile(latency, total, 0.5), percentile(latency, total, 0.99),
      percentile(latency, total, 0.999), bucket_us(longest));
  close(link);
  sink_bpf__destroy(sink);
  return 0;
}
