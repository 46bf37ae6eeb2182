/* What the kernel's fast path knows of one direction of a call: the value of its map, shared with user space.
 *
 * C, for relay.bpf.c and kernel_relay.cc alike. The map is an array by RTP port, `(port - first) / 2`, and is
 * mapped into the process: there is no system call to install an entry, to look at it or to take it back.
 *
 * Who writes: user space everything before it sets `active` to 1. Then the program writes the second part,
 * under `owner`; user space only reads, and may replace the hop. To take an entry back: `active` = 0, a full
 * fence, wait for `owner` = 0. The program sets `active` to 0 itself with a packet of the party that it
 * leaves to user space, so that nothing overtakes it; the entry is user space's once that has taken it back.
 * Byte order: addresses and ports as in the packet; everything else the machine's.
 */
#ifndef VAS_BRIDGE_RELAY_ENTRY_H
#define VAS_BRIDGE_RELAY_ENTRY_H

#include "media/rtp/rtp_stream_state.h"

enum {
  kRelayFormats = 8,
  kRelayFormatUnknown = 0xff, /* was not negotiated: goes up from the party, is dropped from anybody else */
  kRelayFormatGoesUp = 0xfe,  /* user space relays it, or leaves it out: telephone events */
};

struct relay_format {
  __u64 tick_length_q10;
  __u8 payload_type; /* as the far party calls it */
  __u8 is_noise;     /* comfort noise: no frame, and not what the party talks by */
  __u8 reserved[6];
};

struct relay_address {
  __u32 words[4]; /* IPv4 in the first */
};

struct relay_entry {
  __u32 owner;  /* 1 while a program is at work on the state */
  __u32 active; /* 1 while the kernel relays */

  /* The relay: whose packets, turned into whose. */
  struct relay_address near;       /* the latched source */
  struct relay_address near_local; /* where it sends to */
  struct relay_address far;
  struct relay_address far_local; /* what the far party sees as the source */
  __u16 near_port;
  __u16 far_port;
  __u16 far_local_port;
  __u8 family; /* 4 or 6 */
  __u8 tos;    /* of what is sent: DSCP and ECN */
  __u32 ssrc;  /* of what is sent */
  __u32 egress_ifindex;
  __u64 destination_mac; /* in the lower six bytes, as in memory; 0: the kernel's neighbour table knows */
  __u64 source_mac;
  __u32 leaves_by_driver; /* 1 where the egress interface's driver takes packets from XDP */
  __u32 may_overtake; /* 0: the first packet is the next of what user space has relayed, or goes up: another
                         waits for user space still. 1: under overload, when what waits is lost */
  struct relay_format formats[kRelayFormats];
  __u8 format_of[128]; /* by payload type of the near party */

  /* What happened. */
  struct rtp_receive_state receive;
  struct rtp_splice_state splice;
  __u64 last_at_ns;
  __u64 sent_packets;
  __u64 sent_bytes;
  __u64 refused_source;
  __u64 unknown_payload_type;
  __u64 expired;      /* dropped because its TTL ended here: a loop */
  __u64 over_limit;   /* dropped: beyond what a party may send in a second */
  __u64 second_at_ns; /* when the second began that is counted */
  __u32 frame_timestamp;
  __u32 frame_ticks; /* between the timestamps of successive packets; 0: unknown */
  __u16 frame_number;
  __u8 last_format; /* index into formats */
  __u8 has_frame;
  __u32 in_second; /* packets since second_at_ns */
};

#endif
