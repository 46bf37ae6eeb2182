/* What is remembered of one RTP stream, and how a packet moves it. (RFC 3550 A.1, A.3, A.8)
 *
 * C, not C++: the kernel's fast path (bridge/kernel/relay.bpf.c) and user space compile the very same
 * functions, so the two count alike and a call's state moves between them as plain bytes. Integers only,
 * bounded loops only, no calls out. receive_stats.h and stream_splicer.h are its faces in C++; beside them
 * only the fast path (bridge/leg/relay_entry.h, fast_path.cc) knows this file.
 *
 * Units: time in nanoseconds of the monotonic clock; a tick's length in 1/1024 ns (tick_length_q10).
 */
#ifndef VAS_MEDIA_RTP_STREAM_STATE_H
#define VAS_MEDIA_RTP_STREAM_STATE_H

#include <linux/types.h>

enum {
  kRtpMaxDropout = 3000, /* a longer jump of the sequence is a restart, not loss (RFC 3550 A.1) */
  kRtpMaxMisorder = 100, /* RFC 3550 A.1; more where number and timestamp are those of one that is missing */
  kRtpPlainGap = 100,    /* a longer gap must have taken the time that its packets take */
  kRtpMaxRepeats = 24,   /* of numbers in their order, nothing new between: one more is a restart */
  kRtpSeenWindow = 1024, /* of so many newest numbers it is known which came */
  kRtpSeenWords = kRtpSeenWindow / 64,
};

/* Nanoseconds. A network delays packets and never hurries them: what is there this much before it can have
 * been sent, by the line of those before it, is on another line. What is behind the newest and so much later
 * than it is, too. What is late beyond any stall was sent late. */
#define kRtpEarliest 1000000000LL
#define kRtpLatest 10000000000LL
#define kRtpLongestStall 60000000000LL
#define kRtpShortestPacket 2500000LL /* of audio: opus's (RFC 6716 2.1.4) */

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

  /* The newest audio, which says where on the line of timestamps the next is to be. */
  __u32 line_timestamp;
  __u64 line_at_ns;
  __u64 line_tick_length_q10; /* 0: none */
  __s64 lateness_ns;          /* how much later it came than the earliest did, by its timestamp */

  /* Packets that do not go on with the stretch, and may yet begin another (RFC 3550 A.1, probation). */
  __u16 suspect_next;
  __u16 repeat_next;
  __u16 suspects; /* 2: the packet's number was there before */
  __u16 repeats;
};

enum rtp_place {
  kRtpGoesOn,         /* with the stretch: what the fast path may count by itself */
  kRtpBegins,         /* another SSRC, or the first of all */
  kRtpTimestampJumps, /* the numbers go on, the timestamps do not */
  kRtpIsSuspect,      /* a number or a timestamp that does not fit: two in a row are a restart */
  kRtpRepeats,        /* numbers that were there, for so long that they are a restart */
};

static inline __s64 rtp_unwrap(const struct rtp_receive_state* state, __u16 number) {
  return state->highest + (__s16)(__u16)(number - (__u16)state->highest);
}

static inline int rtp_was_seen(const struct rtp_receive_state* state, __s64 number) {
  return (state->seen[((__u64)number >> 6) & (kRtpSeenWords - 1)] >> ((__u64)number & 63)) & 1;
}

struct rtp_judgement {
  enum rtp_place place;
  __s64 number;      /* on the stretch's line */
  __s64 lateness_ns; /* against the earliest of those before it; 0 without a line */
};

/* What a packet's number and timestamp make of it. A telephone event's timestamp says nothing: it is that of
 * the press. */
static inline struct rtp_judgement rtp_judge(const struct rtp_receive_state* state,
                                             const struct rtp_arrival* arrival) {
  struct rtp_judgement judged = {.place = kRtpGoesOn, .number = rtp_unwrap(state, arrival->number)};
  __s64 step = judged.number - state->highest;
  __s64 passed = (__s64)(arrival->at_ns - state->line_at_ns); /* by the arrivals; or by the timestamps */
  __s64 ticks = 0;
  int is_on_line = arrival->tick_length_q10 && arrival->tick_length_q10 == state->line_tick_length_q10;
  if (!state->in_stretch || state->ssrc != arrival->ssrc) {
    judged.place = kRtpBegins;
    return judged;
  }
  if (is_on_line) {
    __s64 by_timestamp;
    ticks = (__s32)(arrival->timestamp - state->line_timestamp);
    by_timestamp = (ticks * (__s64)arrival->tick_length_q10) >> 10;
    judged.lateness_ns = state->lateness_ns + passed - by_timestamp;
    passed = by_timestamp;
  } else {
    passed += state->lateness_ns;
  }
  if (step > 0) {
    if (step > kRtpPlainGap && (step > kRtpMaxDropout || passed < step * kRtpShortestPacket)) {
      judged.place = kRtpIsSuspect;
    } else if (ticks < 0 || judged.lateness_ns < -kRtpEarliest) {
      judged.place = step == 1 ? kRtpTimestampJumps : kRtpIsSuspect;
    }
    return judged;
  }
  if (step < -kRtpMaxMisorder && (step <= -kRtpSeenWindow || !is_on_line || judged.number < state->base ||
                                  rtp_was_seen(state, judged.number))) {
    judged.place = kRtpIsSuspect;
  } else if ((ticks > 0 || judged.lateness_ns - state->lateness_ns > kRtpLatest) &&
             !(step == 0 && judged.lateness_ns >= -kRtpEarliest)) {
    judged.place = kRtpIsSuspect;
  } else if (state->repeats >= kRtpMaxRepeats && arrival->number == state->repeat_next &&
             rtp_was_seen(state, judged.number)) {
    judged.place = kRtpRepeats;
  }
  return judged;
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
  if (first < number) rtp_clear_seen(state, first, number);
  if (first > number && state->seen[index] & bit) return 0; /* it does not enter the window only now */
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

/* The packet is the newest of the stretch. A clock that runs faster than ours moves the line by itself; for
 * one that is slower, by a thousandth at most, so much lateness is forgotten with time. */
static inline void rtp_move_line(struct rtp_receive_state* state, const struct rtp_arrival* arrival,
                                 __s64 lateness_ns) {
  __s64 drifted = (__s64)(arrival->at_ns - state->line_at_ns) >> 10;
  int is_delay = lateness_ns > drifted && lateness_ns < kRtpLongestStall;
  state->lateness_ns = is_delay ? lateness_ns - drifted : 0;
  state->line_at_ns = arrival->at_ns;
  state->line_timestamp = arrival->timestamp;
  state->line_tick_length_q10 = arrival->tick_length_q10;
}

static inline void rtp_count_repeat(struct rtp_receive_state* state, __u16 number) {
  ++state->duplicates;
  if (number != state->repeat_next) state->repeats = 0;
  if (state->repeats < kRtpMaxRepeats) ++state->repeats;
  state->repeat_next = (__u16)(number + 1);
}

/* Counts a packet that is on the stretch's line: rtp_judge() said kRtpGoesOn. */
static inline void rtp_count(struct rtp_receive_state* state, const struct rtp_arrival* arrival,
                             const struct rtp_judgement* judged) {
  __s64 number = judged->number;
  ++state->packets;
  state->bytes += arrival->bytes;
  if (number < state->base && number >= state->base - kRtpMaxMisorder) state->base = number;
  state->suspects = 0;
  if (!rtp_mark_seen(state, number)) {
    rtp_count_repeat(state, arrival->number);
    return;
  }
  state->repeats = 0;
  ++state->received;
  if (number < state->highest) {
    ++state->out_of_order;
  } else {
    state->highest = number;
    if (arrival->tick_length_q10) rtp_move_line(state, arrival, judged->lateness_ns);
  }
  if (arrival->tick_length_q10) rtp_update_jitter(state, arrival);
}

/* Where the outgoing stream stands against the incoming one that plays. */
struct rtp_splice_state {
  __u64 newest_at_ns;     /* of audio, as newest_timestamp */
  __u32 ssrc;             /* of the incoming stream */
  __u32 timestamp_offset; /* outgoing minus incoming, mod 2^32 */
  __u32 newest_timestamp; /* sent */
  __u16 number_offset;    /* outgoing minus incoming, mod 2^16 */
  __u16 newest_number;    /* sent */
  __u32 has_stream;
  __u32 has_sent;
};

/* True when the packet goes on with the stream that plays; a false one begins a segment. */
static inline int rtp_continues_segment(const struct rtp_splice_state* state, __u32 ssrc) {
  return state->has_stream && state->ssrc == ssrc;
}

/* The outgoing number of an audio packet of which rtp_continues_segment() was true; *timestamp becomes the
 * outgoing one. */
static inline __u16 rtp_splice(struct rtp_splice_state* state, __u64 now_ns, __u16 number, __u32* timestamp) {
  __u16 spliced = (__u16)(number + state->number_offset);
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
