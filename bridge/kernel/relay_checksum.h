/* What new addresses do to checksums: for the kernel's program (relay.bpf.c) alone. (RFC 1624) */
#pragma once

#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "bridge/leg/relay_entry.h"

/* Sums 32-bit words for a ones' complement difference: what goes out is added inverted. */
static __always_inline __u64 exchange(__u64 sum, __u32 old, __u32 new) { return sum + (__u32)~old + new; }

static __always_inline __u32 folded32(__u64 sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  return (__u32)((sum & 0xffffffff) + (sum >> 32));
}

static __always_inline __u16 folded16(__u64 sum) {
  __u32 low = folded32(sum);
  low = (low & 0xffff) + (low >> 16);
  return (__u16)((low & 0xffff) + (low >> 16));
}

static __always_inline __u64 sum_of_header(const struct iphdr* ip) {
  const __u32* words = (const __u32*)ip;
  return (__u64)words[0] + words[1] + words[2] + words[3] + words[4];
}

static __always_inline int is_same_ipv6(const struct in6_addr* address, const struct relay_address* other) {
  const __u32* words = address->in6_u.u6_addr32;
  return words[0] == other->words[0] && words[1] == other->words[1] && words[2] == other->words[2] &&
         words[3] == other->words[3];
}

static __always_inline __u64 replace_ipv6(__u64 sum, struct in6_addr* address,
                                          const struct relay_address* next) {
  int i;
  for (i = 0; i < 4; ++i) {
    sum = exchange(sum, address->in6_u.u6_addr32[i], next->words[i]);
    address->in6_u.u6_addr32[i] = next->words[i];
  }
  return sum;
}
