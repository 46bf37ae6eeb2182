/* What is remembered of one RTP stream, and how a packet moves it. (RFC 3550 A.1, A.3, A.8)
 *
 * C, not C++: the kernel's fast path (bridge/relay.bpf.c) and user space compile the very same functions, so
 * the two count alike and a call's state moves between them as plain bytes. Integers only, bounded loops
 * only, no calls out. receive_stats.h and stream_splicer.h are its faces in C++; beside them only the
 * fast path (bridge/relay_entry.h, fast_path.cc) knows this file.
 *
 * Units: time in nanoseconds of the monotonic clock; a tick's length in 1/1024 ns (tick_length_q10).
 */
#ifndef VAS_MEDIA_RTP_STREAM_STATE_H
#define VAS_MEDIA_RTP_STREAM_STATE_H

#include <linux/types.h>

enum {
  kRtpMaxDropout = 3000, /* a longer jump of the sequence is a restart, not loss (RFC 3550 A.1) */
  kRtpMaxMisorder = 100, /* RFC 3550 A.1 */
  kRtpSeenWindow = 1024, /* of so many newest numbers it is known which came */
  kRtpSeenWords = kRtpSeenWindow / 64,
};

struct rtp_arrival {
  __u64 at_ns;
  __u64 tick_length_q10; /* 0: this packet does not measure jitter */
  __u32 ssrc;
  __u32 timestamp;
  __u32 bytes;
  __u16 number;
};

/* One party's received media over its whole call. A stretch is a run of packets of one SSRC and one sequence.
 */
struct rtp_receive_state {
  /* The whole call. */
  __u64 packets; /* duplicates included */
  __u64 bytes;
  __u64 out_of_order;
  __u64 duplicates;
  __s64 ended_expected; /* of the stretches that are over */
  __s64 ended_lost;
  __u64 jitter_sum_ns;
  __u64 jitter_max_ns;
  __u64 jitter_samples;

  /* The stretch now being received. */
  __s64 base; /* lowest number, on a line without wraps */
  __s64 highest;
  __s64 received; /* without duplicates */
  __u64 seen[kRtpSeenWords];
  __u64 transit_at_ns;           /* arrival and timestamp of the packet that jitter is measured against */
  __u64 transit_tick_length_q10; /* 0: none */
  __u64 jitter_q4;
  __u32 transit_timestamp;
  __u32 ssrc;
  __u32 in_stretch;
  __u32 reserved;
};

static inline __s64 rtp_unwrap(const struct rtp_receive_state* state, __u16 number) {
  return state->highest + (__s16)(__u16)(number - (__u16)state->highest);
}

/* True when `arrival` goes on with the stretch: what the fast path may count by itself. */
static inline int rtp_continues_stretch(const struct rtp_receive_state* state, __u32 ssrc, __u16 number) {
  __s64 step = rtp_unwrap(state, number) - state->highest;
  return state->in_stretch && state->ssrc == ssrc && step <= kRtpMaxDropout && step > -kRtpSeenWindow;
}

/* Forgets the numbers from `first` to `last`, which enter the window: at most kRtpSeenWindow of them. */
static inline void rtp_clear_seen(struct rtp_receive_state* state, __s64 first, __s64 last) {
  __u64 word_start = (__u64)first & ~63ULL;
  int i;
  for (i = 0; i <= kRtpSeenWords; ++i) {
    __u64 mask = ~0ULL;
    if ((__s64)word_start > last) return;
    if ((__s64)word_start < first) mask &= ~0ULL << ((__u64)first & 63);
    if ((__s64)word_start + 63 > last) mask &= ~0ULL >> (63 - ((__u64)last & 63));
    state->seen[(word_start >> 6) & (kRtpSeenWords - 1)] &= ~mask;
    word_start += 64;
  }
}

/* False if `number` was there before. */
static inline int rtp_mark_seen(struct rtp_receive_state* state, __s64 number) {
  __u64 bit = 1ULL << ((__u64)number & 63);
  __u64 index = ((__u64)number >> 6) & (kRtpSeenWords - 1);
  __s64 first = number - kRtpSeenWindow + 1;
  if (first <= state->highest) first = state->highest + 1;
  if (first <= number) rtp_clear_seen(state, first, number);
  if (state->seen[index] & bit) return 0;
  state->seen[index] |= bit;
  return 1;
}

/* RFC 3550 A.8, the integer form: J += (|D| - J) / 16, J kept sixteenfold. */
static inline void rtp_update_jitter(struct rtp_receive_state* state, const struct rtp_arrival* arrival) {
  __s64 difference;
  int has_transit =
      state->transit_tick_length_q10 == arrival->tick_length_q10; /* another codec: begin anew */
  __s64 ticks = (__s32)(arrival->timestamp - state->transit_timestamp);
  difference =
      (__s64)(arrival->at_ns - state->transit_at_ns) - ((ticks * (__s64)arrival->tick_length_q10) >> 10);
  state->transit_at_ns = arrival->at_ns;
  state->transit_timestamp = arrival->timestamp;
  state->transit_tick_length_q10 = arrival->tick_length_q10;
  if (!has_transit) return;
  if (difference < 0) difference = -difference;
  state->jitter_q4 += (__u64)difference - ((state->jitter_q4 + 8) >> 4);

  state->jitter_sum_ns += state->jitter_q4 >> 4;
  ++state->jitter_samples;
  if (state->jitter_q4 >> 4 > state->jitter_max_ns) state->jitter_max_ns = state->jitter_q4 >> 4;
}

/* Counts a packet of which rtp_continues_stretch() was true. */
static inline void rtp_count(struct rtp_receive_state* state, const struct rtp_arrival* arrival) {
  __s64 number = rtp_unwrap(state, arrival->number);
  ++state->packets;
  state->bytes += arrival->bytes;
  if (number < state->base && number >= state->base - kRtpMaxMisorder) state->base = number;
  if (!rtp_mark_seen(state, number)) {
    ++state->duplicates;
    return;
  }
  ++state->received;
  if (number < state->highest) {
    ++state->out_of_order;
  } else {
    state->highest = number;
  }
  if (arrival->tick_length_q10) rtp_update_jitter(state, arrival);
}

/* Where the outgoing stream stands against the incoming one that plays. */
struct rtp_splice_state {
  __u64 newest_at_ns;
  __u32 ssrc;             /* of the incoming stream */
  __u32 timestamp_offset; /* outgoing minus incoming, mod 2^32 */
  __u32 newest_timestamp; /* sent */
  __u16 number_offset;    /* outgoing minus incoming, mod 2^16 */
  __u16 newest_number;    /* sent */
  __u16 skipped;          /* incoming number behind which number_offset holds */
  __u8 has_skipped;
  __u8 has_stream;
  __u32 has_sent;
};

/* True when the packet goes on with the stream that plays; a false one begins a segment. */
static inline int rtp_continues_segment(const struct rtp_splice_state* state, __u32 ssrc, __u16 number) {
  __s16 distance = (__s16)(__u16)(number - (__u16)(state->newest_number - state->number_offset));
  return state->has_stream && state->ssrc == ssrc && distance <= kRtpMaxDropout &&
         distance >= -kRtpMaxDropout;
}

/* The outgoing number of a packet of which rtp_continues_segment() was true; *timestamp becomes the outgoing
 * one. */
static inline __u16 rtp_splice(struct rtp_splice_state* state, __u64 now_ns, __u16 number, __u32* timestamp) {
  __u16 spliced = (__u16)(number + state->number_offset);
  if (state->has_skipped) {
    __s16 behind = (__s16)(__u16)(number - state->skipped);
    if (behind < 0) spliced = (__u16)(spliced + 1);
    if (behind > kRtpMaxDropout) state->has_skipped = 0; /* nothing from before it can come any more */
  }
  *timestamp += state->timestamp_offset;
  if ((__s16)(__u16)(spliced - state->newest_number) > 0) {
    state->newest_number = spliced;
    state->newest_timestamp = *timestamp;
    state->newest_at_ns = now_ns;
  }
  state->has_sent = 1;
  return spliced;
}

#endif
