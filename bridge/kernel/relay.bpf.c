/* The kernel's fast path: relays the plain RTP of established calls at tc ingress, or in the driver (XDP). (docs/media-relay.md)
 *
 * A packet that is not exactly what its entry expects goes up the stack to the media worker, which takes the entry out
 * and decides. So this program judges little: source, payload type, a sequence that goes on. What the party sends behind
 * such a packet goes the same way, so that none overtakes it.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bridge/kernel/relay_checksum.h"
#include "bridge/leg/relay_entry.h"

enum {
  kGoUp = TC_ACT_UNSPEC, /* whoever comes next: other programs, then the stack */
  kRtpBytes = 12,
  kOwnerTries = 64,
  kFragment = 0x3fff, /* more fragments, or an offset */
};

/* Set before the program is loaded. */
const volatile __u16 first_port;
const volatile __u16 last_port;
const volatile __u32 loopback_ifindex = 1;
const volatile __u32 most_packets = 1000; /* of a party, in a second */
const volatile __u32 largest_datagram = 1952; /* what user space reads */

__u64 alive_until_ns; /* moved on by the process as long as it lives */

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct relay_entry);
  __uint(max_entries, 1); /* set before loading */
} relays SEC(".maps");

struct rtp_header {
  __u8 first; /* version, padding, extension, CSRC count */
  __u8 second; /* marker, payload type */
  __u16 number;
  __u32 timestamp;
  __u32 ssrc;
};

/* Where things are in this packet. */
struct parsed {
  struct udphdr* udp;
  struct rtp_header* rtp;
  void* end;
};

static __always_inline struct relay_entry* entry_of(__u16 port_be) {
  __u16 port = bpf_ntohs(port_be);
  __u32 index;
  struct relay_entry* entry;
  if (port < first_port || port > last_port || (port - first_port) & 1) return 0;
  index = (__u32)(port - first_port) >> 1;
  entry = bpf_map_lookup_elem(&relays, &index);
  return entry && entry->active ? entry : 0;
}

static __always_inline int is_rtp(const struct rtp_header* rtp) {
  if ((rtp->first & 0xc0) != 0x80) return 0;    /* version 2 */
  return rtp->second < 192 || rtp->second > 223; /* else RTCP (RFC 5761 §4) */
}

/* True for an RTP packet whose header is whole, and which user space would take. Padding is left to it, for it looks at
 * its length. */
static __always_inline int is_plain_rtp(const struct parsed* packet) {
  const struct rtp_header* rtp = packet->rtp;
  __u32 bytes = bpf_ntohs(packet->udp->len);
  __u32 header = kRtpBytes + 4 * (rtp->first & 0x0f);
  if (rtp->first & 0x20) return 0;
  if (rtp->first & 0x10) {
    const __u16* extension_words = (const void*)rtp + header + 2;
    if ((const void*)(extension_words + 1) > packet->end) return 0;
    header += 4 + 4 * bpf_ntohs(*extension_words);
  }
  return bytes >= sizeof(struct udphdr) + header && bytes <= sizeof(struct udphdr) + largest_datagram;
}

/* One CPU works on a state at a time; a party's packets come to one CPU as a rule. */
static __always_inline int take(struct relay_entry* entry) {
  int i;
  for (i = 0; i < kOwnerTries; ++i) {
    if (__sync_val_compare_and_swap(&entry->owner, 0, 1) == 0) return 1;
  }
  return 0;
}

static __always_inline void release(struct relay_entry* entry) { __sync_lock_test_and_set(&entry->owner, 0); }

static __always_inline void measure_frame(struct relay_entry* entry, __u16 number, __u32 timestamp) {
  if (entry->has_frame && (__u16)(number - entry->frame_number) == 1) {
    entry->frame_ticks = timestamp - entry->frame_timestamp;
  }
  entry->has_frame = 1;
  entry->frame_number = number;
  entry->frame_timestamp = timestamp;
}

/* A function of its own, which the verifier looks at once: inside its caller each way through it would be followed to
 * the program's end. */
__attribute__((noinline)) int goes_on(const struct rtp_receive_state* state, const struct rtp_arrival* arrival,
                                      struct rtp_judgement* judged) {
  if (!state || !arrival || !judged) return 0;
  *judged = rtp_judge(state, arrival);
  return judged->place == kRtpGoesOn;
}

enum verdict { kVerdictUp, kVerdictDrop, kVerdictRelay };

/* False where the party has sent all that it may in a second. */
static __always_inline int has_room(struct relay_entry* entry, __u64 now_ns) {
  if (now_ns - entry->second_at_ns >= 1000000000) {
    entry->second_at_ns = now_ns;
    entry->in_second = 0;
  }
  return entry->in_second++ < most_packets;
}

/* Whether one that user space has not met yet may be before it. */
static __always_inline int overtakes(const struct relay_entry* entry, __s64 number) {
  return !entry->sent_packets && !entry->may_overtake && number != entry->receive.highest + 1;
}

/* Counts the packet and gives it its new header in `next`. */
static __always_inline enum verdict move_state(struct relay_entry* entry, const struct parsed* packet, __u8 format,
                                      struct rtp_header* next) {
  struct rtp_arrival arrival = {
      .at_ns = bpf_ktime_get_ns(),
      .ssrc = bpf_ntohl(packet->rtp->ssrc),
      .timestamp = bpf_ntohl(packet->rtp->timestamp),
      .bytes = bpf_ntohs(packet->udp->len) - sizeof(struct udphdr),
      .number = bpf_ntohs(packet->rtp->number),
  };
  __u32 timestamp = arrival.timestamp;
  struct rtp_judgement judged;
  __u16 number;
  format &= kRelayFormats - 1;
  arrival.tick_length_q10 = entry->formats[format].tick_length_q10;

  if (!take(entry)) return kVerdictUp;
  if (!entry->active || arrival.at_ns > alive_until_ns || !goes_on(&entry->receive, &arrival, &judged) ||
      !rtp_continues_segment(&entry->splice, arrival.ssrc) || overtakes(entry, judged.number)) {
    entry->active = 0; /* before another CPU has the state */
    release(entry);
    return kVerdictUp;
  }
  if (!has_room(entry, arrival.at_ns)) {
    ++entry->over_limit;
    release(entry);
    return kVerdictDrop;
  }
  rtp_count(&entry->receive, &arrival, &judged);
  if (!entry->formats[format].is_noise) {
    measure_frame(entry, arrival.number, arrival.timestamp);
    entry->last_format = format;
  }
  number = rtp_splice(&entry->splice, arrival.at_ns, arrival.number, &timestamp);
  entry->last_at_ns = arrival.at_ns;
  ++entry->sent_packets;
  entry->sent_bytes += arrival.bytes;
  release(entry);

  next->first = packet->rtp->first;
  next->second = (packet->rtp->second & 0x80) | entry->formats[format].payload_type;
  next->number = bpf_htons(number);
  next->timestamp = bpf_htonl(timestamp);
  next->ssrc = bpf_htonl(entry->ssrc);
  return kVerdictRelay;
}

/* Where the program runs, and on how much. */
struct hook {
  int is_driver;
  __u32 frame_bytes;
};

/* What relaying leaves for the hook to do: checksum differences to settle, a packet to send. */
struct outcome {
  struct relay_entry* entry;
  struct udphdr* udp;
  __u32 udp_offset;
  __u32 addresses;
  __u32 contents;
};

/* What is to happen to a packet that came to an active entry from `is_near`. */
static __always_inline enum verdict judge(struct relay_entry* entry, const struct parsed* packet, int is_near,
                                          __u8 ttl, struct rtp_header* next) {
  enum verdict verdict = kVerdictUp;
  __u8 format;
  if (!is_rtp(packet->rtp)) return kVerdictUp;
  format = entry->format_of[packet->rtp->second & 0x7f];
  if (!is_near || packet->udp->source != entry->near_port) {
    __sync_fetch_and_add(format == kRelayFormatUnknown ? &entry->unknown_payload_type : &entry->refused_source, 1);
    return kVerdictDrop;
  }
  if (is_plain_rtp(packet) && format < kRelayFormats) {
    if (ttl <= 1) { /* two legs that were made to point at each other send a packet round for ever */
      __sync_fetch_and_add(&entry->expired, 1);
      return kVerdictDrop;
    }
    verdict = move_state(entry, packet, format, next);
  }
  if (verdict == kVerdictUp) entry->active = 0; /* user space takes it back when it meets the packet */
  return verdict;
}

/* The driver's program cannot ask for a neighbour, and not every driver sends what another received. */
static __always_inline int leaves_by_driver(const struct relay_entry* entry) {
  return entry->leaves_by_driver && entry->destination_mac;
}

/* Writes ports and RTP header; returns the difference that the UDP checksum is to take up. */
static __always_inline __u32 rewrite_udp(const struct relay_entry* entry, struct parsed* packet,
                                         const struct rtp_header* next) {
  const __u32* from = (const __u32*)packet->rtp;
  const __u32* to = (const __u32*)next;
  __u64 sum = exchange(0, packet->udp->source, entry->far_local_port);
  sum = exchange(sum, packet->udp->dest, entry->far_port);
  sum = exchange(sum, from[0], to[0]);
  sum = exchange(sum, from[1], to[1]);
  sum = exchange(sum, from[2], to[2]);
  packet->udp->source = entry->far_local_port;
  packet->udp->dest = entry->far_port;
  *packet->rtp = *next;
  return folded32(sum);
}

static __always_inline void set_macs(struct ethhdr* ethernet, const struct relay_entry* entry) {
  if (!entry->destination_mac) return;
  __builtin_memcpy(ethernet->h_dest, &entry->destination_mac, ETH_ALEN);
  __builtin_memcpy(ethernet->h_source, &entry->source_mac, ETH_ALEN);
}

static __always_inline enum verdict relay_ipv4(void* data, void* end, const struct hook* hook,
                                               struct outcome* outcome) {
  struct ethhdr* ethernet = data;
  struct iphdr* ip = data + sizeof *ethernet;
  struct parsed packet = {.udp = (void*)(ip + 1), .rtp = (void*)(ip + 1) + sizeof(struct udphdr), .end = end};
  struct relay_entry* entry;
  struct rtp_header next;
  enum verdict verdict;
  __u64 addresses;
  if ((void*)(packet.rtp + 1) > end) return kVerdictUp;
  if (ip->version != 4 || ip->ihl != 5 || ip->protocol != IPPROTO_UDP) return kVerdictUp;
  entry = entry_of(packet.udp->dest);
  if (!entry || entry->family != 4 || ip->daddr != entry->near_local.words[0]) return kVerdictUp;
  if (hook->is_driver && !leaves_by_driver(entry)) return kVerdictUp;
  if (ip->frag_off & bpf_htons(kFragment) || folded16(sum_of_header(ip)) != 0xffff) return kVerdictUp;
  if (bpf_ntohs(ip->tot_len) != sizeof *ip + bpf_ntohs(packet.udp->len)) return kVerdictUp;
  if (hook->frame_bytes < sizeof *ethernet + bpf_ntohs(ip->tot_len)) return kVerdictUp;

  verdict = judge(entry, &packet, ip->saddr == entry->near.words[0], ip->ttl, &next);
  if (verdict != kVerdictRelay) return verdict;
  addresses = exchange(0, ip->saddr, entry->far_local.words[0]);
  addresses = exchange(addresses, ip->daddr, entry->far.words[0]);
  outcome->entry = entry;
  outcome->udp = packet.udp;
  outcome->udp_offset = sizeof *ethernet + sizeof *ip;
  outcome->addresses = folded32(addresses);
  outcome->contents = rewrite_udp(entry, &packet, &next);
  ip->tos = entry->tos;
  --ip->ttl;
  ip->saddr = entry->far_local.words[0];
  ip->daddr = entry->far.words[0];
  ip->check = 0;
  ip->check = (__u16)~folded16(sum_of_header(ip));
  set_macs(ethernet, entry);
  return kVerdictRelay;
}

static __always_inline enum verdict relay_ipv6(void* data, void* end, const struct hook* hook,
                                               struct outcome* outcome) {
  struct ethhdr* ethernet = data;
  struct ipv6hdr* ip = data + sizeof *ethernet;
  struct parsed packet = {.udp = (void*)(ip + 1), .rtp = (void*)(ip + 1) + sizeof(struct udphdr), .end = end};
  struct relay_entry* entry;
  struct rtp_header next;
  enum verdict verdict;
  __u64 addresses;
  if ((void*)(packet.rtp + 1) > end) return kVerdictUp;
  if (ip->version != 6 || ip->nexthdr != IPPROTO_UDP) return kVerdictUp;
  entry = entry_of(packet.udp->dest);
  if (!entry || entry->family != 6 || !is_same_ipv6(&ip->daddr, &entry->near_local)) return kVerdictUp;
  if (hook->is_driver && !leaves_by_driver(entry)) return kVerdictUp;
  if (ip->payload_len != packet.udp->len) return kVerdictUp;
  if (hook->frame_bytes < sizeof *ethernet + sizeof *ip + bpf_ntohs(ip->payload_len)) return kVerdictUp;

  verdict = judge(entry, &packet, is_same_ipv6(&ip->saddr, &entry->near), ip->hop_limit, &next);
  if (verdict != kVerdictRelay) return verdict;
  addresses = replace_ipv6(0, &ip->saddr, &entry->far_local);
  addresses = replace_ipv6(addresses, &ip->daddr, &entry->far);
  outcome->entry = entry;
  outcome->udp = packet.udp;
  outcome->udp_offset = sizeof *ethernet + sizeof *ip;
  outcome->addresses = folded32(addresses);
  outcome->contents = rewrite_udp(entry, &packet, &next);
  ip->priority = entry->tos >> 4;
  ip->flow_lbl[0] = (__u8)((entry->tos << 4) | (ip->flow_lbl[0] & 0x0f));
  --ip->hop_limit;
  set_macs(ethernet, entry);
  return kVerdictRelay;
}

/* ---- at tc ingress ---- */

static __always_inline int send(struct __sk_buff* skb, const struct relay_entry* entry) {
  __u32 ifindex = entry->egress_ifindex;
  if (ifindex == loopback_ifindex || entry->destination_mac) return bpf_redirect(ifindex, 0);
  return bpf_redirect_neigh(ifindex, 0, 0, 0);
}

/* Helpers that change the packet end every pointer into it, so the checksums come last. Only the kernel knows whether
 * a checksum is whole or to be completed by the interface. */
static __always_inline int finish(struct __sk_buff* skb, const struct outcome* outcome) {
  const __u32 check = outcome->udp_offset + __builtin_offsetof(struct udphdr, check);
  bpf_l4_csum_replace(skb, check, 0, outcome->addresses, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0);
  bpf_l4_csum_replace(skb, check, 0, outcome->contents, BPF_F_MARK_MANGLED_0);
  return send(skb, outcome->entry);
}

SEC("tc")
int relay(struct __sk_buff* skb) {
  void* data = (void*)(long)skb->data;
  void* end = (void*)(long)skb->data_end;
  const struct hook hook = {.is_driver = 0, .frame_bytes = skb->len};
  struct outcome outcome = {0};
  enum verdict verdict = kVerdictUp;
  if (skb->vlan_present || skb->gso_segs > 1) return kGoUp;
  if (skb->protocol == bpf_htons(ETH_P_IP)) verdict = relay_ipv4(data, end, &hook, &outcome);
  if (skb->protocol == bpf_htons(ETH_P_IPV6)) verdict = relay_ipv6(data, end, &hook, &outcome);
  if (verdict == kVerdictDrop) return TC_ACT_SHOT;
  return verdict == kVerdictRelay ? finish(skb, &outcome) : kGoUp;
}

/* ---- in the driver, before there is a packet buffer of the kernel's ---- */

/* Every checksum is whole here. */
static __always_inline void settle_checksum(const struct outcome* outcome) {
  __u16 check = outcome->udp->check;
  if (check == 0) return; /* none was sent (IPv4) */
  check = (__u16)~folded16((__u64)(__u16)~check + outcome->addresses + outcome->contents);
  outcome->udp->check = check != 0 ? check : 0xffff;
}

SEC("xdp")
int relay_in_driver(struct xdp_md* context) {
  void* data = (void*)(long)context->data;
  void* end = (void*)(long)context->data_end;
  struct ethhdr* ethernet = data;
  const struct hook hook = {.is_driver = 1, .frame_bytes = (__u32)(end - data)};
  struct outcome outcome = {0};
  enum verdict verdict = kVerdictUp;
  if ((void*)(ethernet + 1) > end) return XDP_PASS;
  if (ethernet->h_proto == bpf_htons(ETH_P_IP)) verdict = relay_ipv4(data, end, &hook, &outcome);
  if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) verdict = relay_ipv6(data, end, &hook, &outcome);
  if (verdict == kVerdictDrop) return XDP_DROP;
  if (verdict != kVerdictRelay) return XDP_PASS;
  settle_checksum(&outcome);
  if (outcome.entry->egress_ifindex == context->ingress_ifindex) return XDP_TX;
  return (int)bpf_redirect(outcome.entry->egress_ifindex, 0);
}

/* None of the helpers used asks for a GPL program. */
char license_text[] SEC("license") = "Apache-2.0";
