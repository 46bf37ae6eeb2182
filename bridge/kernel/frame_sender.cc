#include "bridge/kernel/frame_sender.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "bridge/leg/leg_config.h"

namespace vas::bridge {
namespace {

// The longest: Ethernet, IPv6 and UDP. IPv4 takes less.
constexpr std::size_t kHeaders = sizeof(ether_header) + sizeof(ip6_hdr) + sizeof(udphdr);

// Ones' complement sum, in the machine's byte order: swapped bytes sum to the swapped sum (RFC 1071).
std::uint64_t add_words(const void* bytes, std::size_t count, std::uint64_t sum) {
  const auto* at = static_cast<const std::uint8_t*>(bytes);
  for (; count >= 4; count -= 4, at += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, at, 4);
    sum += word;
  }
  std::uint32_t rest = 0;
  std::memcpy(&rest, at, count);
  return sum + rest;
}

std::uint16_t folded(std::uint64_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

template <typename Header>
std::uint8_t* put(std::uint8_t* at, const Header& header) {
  std::memcpy(at, &header, sizeof header);
  return at + sizeof header;
}

std::uint8_t* put_ethernet(std::uint8_t* at, const NextHop& hop, std::uint16_t type) {
  std::memcpy(at, &hop.destination_mac, ETH_ALEN);
  std::memcpy(at + ETH_ALEN, &hop.source_mac, ETH_ALEN);
  return put(at + 2 * ETH_ALEN, htons(type));
}

std::uint8_t* put_ipv4(std::uint8_t* at, const IpAddress& from, const IpAddress& to, Ttl ttl,
                       std::size_t udp_bytes) {
  iphdr ip{};
  ip.version = 4;
  ip.ihl = sizeof ip / 4;
  ip.tos = kTosExpeditedForwarding;
  ip.tot_len = htons(static_cast<std::uint16_t>(sizeof ip + udp_bytes));
  ip.frag_off = htons(IP_DF);
  ip.ttl = ttl;
  ip.protocol = IPPROTO_UDP;
  std::memcpy(&ip.saddr, from.bytes.data(), 4);
  std::memcpy(&ip.daddr, to.bytes.data(), 4);
  ip.check = folded(add_words(&ip, sizeof ip, 0));
  return put(at, ip);
}

std::uint8_t* put_ipv6(std::uint8_t* at, const IpAddress& from, const IpAddress& to, Ttl ttl,
                       std::size_t udp_bytes) {
  ip6_hdr ip{};
  ip.ip6_flow = htonl(6U << 28 | std::uint32_t{kTosExpeditedForwarding} << 20);
  ip.ip6_plen = htons(static_cast<std::uint16_t>(udp_bytes));
  ip.ip6_nxt = IPPROTO_UDP;
  ip.ip6_hlim = ttl;
  std::memcpy(&ip.ip6_src, from.bytes.data(), 16);
  std::memcpy(&ip.ip6_dst, to.bytes.data(), 16);
  return put(at, ip);
}

}  // namespace

struct FrameSender::Batch {
  std::array<std::array<std::uint8_t, kHeaders + kLargestPayload>, kBatch> frames;
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> vectors{};
  std::array<sockaddr_ll, kBatch> addresses{};
  std::size_t count = 0;
};

Result<std::unique_ptr<FrameSender>> FrameSender::open() {
  const int made = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);  // protocol 0: it receives nothing
  if (made < 0) return Error{std::string("no packet socket: ") + std::strerror(errno)};
  return std::unique_ptr<FrameSender>(new FrameSender(made));
}

FrameSender::FrameSender(int socket) : socket_(socket), batch_(std::make_unique<Batch>()) {
  for (std::size_t i = 0; i < kBatch; ++i) {
    batch_->vectors[i].iov_base = batch_->frames[i].data();
    batch_->addresses[i] = {.sll_family = AF_PACKET, .sll_halen = ETH_ALEN};
    batch_->messages[i].msg_hdr = {.msg_name = &batch_->addresses[i],
                                   .msg_namelen = sizeof(sockaddr_ll),
                                   .msg_iov = &batch_->vectors[i],
                                   .msg_iovlen = 1};
  }
}

FrameSender::~FrameSender() { ::close(socket_); }

void FrameSender::add(const NextHop& hop, const Endpoint& from, const Endpoint& to, Ttl ttl, Bytes payload) {
  if (ttl == 0) ttl = kMediaTtl;
  if (batch_->count == kBatch) flush();
  const std::size_t index = batch_->count++;
  const bool is_ipv4 = to.address.family == AddressFamily::kIpv4;
  const std::size_t udp_bytes = sizeof(udphdr) + payload.size();
  std::uint8_t* const frame = batch_->frames[index].data();
  std::uint8_t* at = put_ethernet(frame, hop, is_ipv4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
  at = is_ipv4 ? put_ipv4(at, from.address, to.address, ttl, udp_bytes)
               : put_ipv6(at, from.address, to.address, ttl, udp_bytes);

  udphdr udp{};
  udp.source = htons(from.port);
  udp.dest = htons(to.port);
  udp.len = htons(static_cast<std::uint16_t>(udp_bytes));
  const std::size_t address_bytes = is_ipv4 ? 4 : 16;
  std::uint64_t sum = htons(IPPROTO_UDP) + std::uint64_t{udp.len};  // the pseudo header
  sum = add_words(from.address.bytes.data(), address_bytes, sum);
  sum = add_words(to.address.bytes.data(), address_bytes, sum);
  sum = add_words(&udp, sizeof udp, sum);
  udp.check = folded(add_words(payload.data(), payload.size(), sum));
  if (udp.check == 0) udp.check = 0xffff;  // 0 would say that there is none
  at = put(at, udp);
  std::memcpy(at, payload.data(), payload.size());

  batch_->vectors[index].iov_len = static_cast<std::size_t>(at - frame) + payload.size();
  sockaddr_ll& address = batch_->addresses[index];
  address.sll_ifindex = static_cast<int>(hop.ifindex);
  address.sll_protocol = htons(is_ipv4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
}

void FrameSender::flush() {
  thread_check_.check();
  std::size_t done = 0;
  while (done < batch_->count) {
    const int sent = sendmmsg(socket_, batch_->messages.data() + done,
                              static_cast<unsigned>(batch_->count - done), MSG_DONTWAIT);
    done += sent > 0 ? static_cast<std::size_t>(sent) : 1;  // one that is not taken is lost alone
  }
  batch_->count = 0;
}

}  // namespace vas::bridge
