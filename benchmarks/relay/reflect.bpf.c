/* Sends every UDP packet back to where it came from: what the lab itself costs, without a relay. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

const volatile __u16 first_port; /* set before loading: packets to lower ports are left alone */

SEC("tc")
int reflect(struct __sk_buff* skb) {
  void* data = (void*)(long)skb->data;
  void* end = (void*)(long)skb->data_end;
  struct ethhdr* ethernet = data;
  struct iphdr* ip = (void*)(ethernet + 1);
  struct udphdr* udp = (void*)(ip + 1);
  unsigned char mac[ETH_ALEN];
  __u32 address;
  __u16 port;
  if ((void*)(udp + 1) > end) return TC_ACT_UNSPEC;
  if (skb->protocol != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_UDP) return TC_ACT_UNSPEC;
  if (bpf_ntohs(udp->dest) < first_port) return TC_ACT_UNSPEC;
  __builtin_memcpy(mac, ethernet->h_dest, ETH_ALEN);
  __builtin_memcpy(ethernet->h_dest, ethernet->h_source, ETH_ALEN);
  __builtin_memcpy(ethernet->h_source, mac, ETH_ALEN);
  address = ip->daddr;
  ip->daddr = ip->saddr;
  ip->saddr = address;
  port = udp->dest;
  udp->dest = udp->source;
  udp->source = port;
  return (int)bpf_redirect(skb->ifindex, 0);
}

char license_text[] SEC("license") = "Apache-2.0";
