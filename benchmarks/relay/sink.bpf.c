/* Counts what comes back to the load generator and how long it was under way; then drops it. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "benchmarks/relay/stamp.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __type(key, __u32);
  __type(value, __u64);
  __uint(max_entries, kMaxStreams);
} received SEC(".maps");

/* Tenths of a microsecond under way: bucket 32 * o + b begins at b << o (b from 16 on past octave 0). */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __type(key, __u32);
  __type(value, __u64);
  __uint(max_entries, kBuckets);
} latency SEC(".maps");

/* RTP without a stamp, as encrypted packets are, to the phones' ports. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __type(key, __u32);
  __type(value, __u64);
  __uint(max_entries, 1);
} opaque SEC(".maps");

static __always_inline void add(void* map, __u32 key) {
  __u64* count = bpf_map_lookup_elem(map, &key);
  if (count) __sync_fetch_and_add(count, 1);
}

static __always_inline __u32 bucket_of(__u64 tenths) {
  __u32 octave = 0;
  int i;
  for (i = 0; i < 40; ++i) {
    if (tenths < 32) break;
    tenths >>= 1;
    ++octave;
  }
  return octave * 32 + (__u32)tenths;
}

SEC("tc")
int sink(struct __sk_buff* skb) {
  void* data = (void*)(long)skb->data;
  void* end = (void*)(long)skb->data_end;
  struct iphdr* ip = data + sizeof(struct ethhdr);
  struct udphdr* udp = (void*)(ip + 1);
  __u8* rtp = (void*)(udp + 1);
  struct stamp* stamp = (void*)(rtp + 12);
  __u64 now = bpf_ktime_get_ns();
  __u32 bucket;
  if ((void*)(stamp + 1) > end) return TC_ACT_UNSPEC;
  if (skb->protocol != bpf_htons(ETH_P_IP)) return TC_ACT_UNSPEC;
  if (stamp->magic != kStampMagic) {
    /* Even ports of the phones, and no RTCP. */
    if (ip->protocol != 17 || bpf_ntohs(udp->dest) < kFirstPhonePort || (rtp[0] & 0xc0) != 0x80 || rtp[1] >= 192)
      return TC_ACT_UNSPEC;
    add(&opaque, 0);
    return TC_ACT_SHOT;
  }
  add(&received, stamp->stream);
  bucket = bucket_of((now - stamp->sent_at_ns) / 100);
  add(&latency, bucket < kBuckets ? bucket : kBuckets - 1);
  return TC_ACT_SHOT;
}

char license_text[] SEC("license") = "Apache-2.0";
