/* The first bytes of each generated packet's payload. */
#ifndef VAS_BENCHMARKS_RELAY_STAMP_H
#define VAS_BENCHMARKS_RELAY_STAMP_H

#include <linux/types.h>

enum {
  kStampMagic = 0x53414d56,
  kMaxStreams = 16384,
  kBuckets = 1024,
  kFirstPhonePort = 20000, /* calls.py */
};

struct stamp {
  __u32 magic;
  __u32 stream;
  __u64 number;
  __u64 sent_at_ns;
} __attribute__((packed, aligned(2)));

#endif
