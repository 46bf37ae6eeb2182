// How long a relayed datagram may still live: less each time that it passes a relay, whatever it passes in
// between, so that nothing circles for ever. (RFC 791's time to live, RFC 8200's hop limit)
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>

#include "base/endpoint.h"

namespace vas::bridge {

// As it came from the kernel, and goes back to it. 0: it was not told, or is to be the socket's own.
using Ttl = std::uint8_t;

// What our sockets send with. Below the usual 64, so that what came a short way (and most does) goes on with
// the socket's own, which costs nothing; what came a longer way, or in a circle, with one less than it had.
inline constexpr int kMediaTtl = 48;

// Room for the one control message that says or sets the TTL.
inline constexpr std::size_t kTtlControlBytes = CMSG_SPACE(sizeof(int));

// A datagram that came with `ttl` may go on.
inline bool may_go_on(Ttl ttl) { return ttl != 1; }
inline Ttl ttl_onward(Ttl ttl) { return ttl == 0 || ttl > kMediaTtl ? Ttl{0} : static_cast<Ttl>(ttl - 1); }

inline void set_ttl_options(int descriptor, AddressFamily family) {
  constexpr int kYes = 1;
  if (family == AddressFamily::kIpv4) {
    setsockopt(descriptor, IPPROTO_IP, IP_TTL, &kMediaTtl, sizeof kMediaTtl);
    setsockopt(descriptor, IPPROTO_IP, IP_RECVTTL, &kYes, sizeof kYes);
  } else {
    setsockopt(descriptor, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &kMediaTtl, sizeof kMediaTtl);
    setsockopt(descriptor, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &kYes, sizeof kYes);
  }
}

// `first`: the only header that there is. In io_uring's buffers it stands at any address.
inline Ttl ttl_of(const cmsghdr* first) {
  if (first == nullptr) return 0;
  cmsghdr header;
  std::memcpy(&header, static_cast<const void*>(first), sizeof header);
  if (header.cmsg_len < CMSG_LEN(sizeof(int))) return 0;
  const bool is_ttl = (header.cmsg_level == IPPROTO_IP && header.cmsg_type == IP_TTL) ||
                      (header.cmsg_level == IPPROTO_IPV6 && header.cmsg_type == IPV6_HOPLIMIT);
  if (!is_ttl) return 0;
  int ttl = 0;
  std::memcpy(&ttl, reinterpret_cast<const std::uint8_t*>(first) + CMSG_LEN(0), sizeof ttl);
  return static_cast<Ttl>(ttl);
}

// Into `message`, whose control data has kTtlControlBytes of room.
inline void put_ttl(msghdr& message, AddressFamily family, Ttl ttl) {
  message.msg_controllen = kTtlControlBytes;
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  const bool is_ipv4 = family == AddressFamily::kIpv4;
  header->cmsg_level = is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
  header->cmsg_type = is_ipv4 ? IP_TTL : IPV6_HOPLIMIT;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int value = ttl;
  std::memcpy(CMSG_DATA(header), &value, sizeof value);
}

}  // namespace vas::bridge
