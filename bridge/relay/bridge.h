// Joins two legs' media: RTP is relayed as one unbroken stream to each listener, RTCP is translated with it.
#pragma once

#include <array>

#include "base/thread_check.h"
#include "bridge/leg/leg.h"
#include "bridge/leg/leg_config.h"
#include "bridge/relay/outbox.h"

namespace vas::bridge {

// Keeps two legs, and which RTCP of our own is due to either. It decides what each datagram is and what
// becomes of it: it goes on to the other leg, is answered here, or is dropped and counted. Who the call is,
// which socket a leg has and whether the kernel relays it need not know. Bytes and time in, datagrams out: it
// opens no socket and reads no clock.
//
// Threads:  its media worker only, for its whole life.
// Lifetime: what it puts into an Outbox borrows the datagram that came in, or the bridge's own buffers.
class Bridge {
 public:
  // RTCP of our own begins when a party was silent for this long, and is sent this often.
  static constexpr Duration kRtcpSilence = std::chrono::seconds(10);
  // RFC 3550 §6.2 has 5 s as its least.
  static constexpr Duration kRtcpInterval = std::chrono::seconds(5);
  static constexpr int kMaxRtcpPerSecond = 20;  // from one party; more is dropped

  Bridge(Duration media_timeout, Time now, const std::array<StreamSeed, 2>& seeds,
         const SecureSetup& setup = {});

  void configure(LegSide side, const LegConfig& config, Time now);

  // The leg has a port that another call's had before: whose stream may still come to it.
  void expect_ghost(LegSide side, const std::optional<HeardStream>& ghost) { leg(side).expect_ghost(ghost); }

  // The leg's agent has found its party (ice::PathFound).
  void adopt_path(LegSide side, const Endpoint& to, const Endpoint& peer, bool is_pipe, Time now);
  void lose_path(LegSide side);

  // The leg's party is being offered DTLS (SecurePath::await_dtls).
  void await_dtls(LegSide side) { leg(side).path().await_dtls(); }
  // After configure(): responds to one hello that came before it. False when there is none left; else the
  // outbox is to be emptied before the next call.
  bool respond_to_early_hello(LegSide side, Time now, Outbox& outbox);

  // The call is answered: from now on silence of both parties counts.
  void start(Time now);

  // `datagram`: any bytes from the network; rewritten in place. SRTP takes the room behind it, and is not
  // sent without.
  void on_datagram(LegSide side, Component component, const Endpoint& source, media::PacketBuffer datagram,
                   Time now, Outbox& outbox);

  // Once a second or so: sends what RTCP is due.
  void tick(Time now, WallTime wall_now, Outbox& outbox);

  // True once both parties were silent for the media timeout: neither RTP, comfort noise and keep-alives
  // among it, nor RTCP. Never on hold or before start().
  bool is_silent(Time now) const;
  // When either party was heard last, on hold too; the start, or the end of a hold, where that was later.
  Time last_heard_at() const;

  LegStats stats(LegSide side) const { return leg(side).stats(); }
  void count_oversized(LegSide side) { leg(side).count_oversized(); }
  void count_expired(LegSide side) { leg(side).count_expired(); }
  void count_overrun(LegSide side, std::uint64_t datagrams) { leg(side).count_overrun(datagrams); }
  std::uint64_t over_limit() const { return legs_[0].over_limit() + legs_[1].over_limit(); }

  // The kernel's fast path, one direction: from `near` to the other leg. Fills all but the local addresses
  // and the hop; false while user space must relay: not started, on hold, not latched, nothing received yet.
  bool describe_relay(LegSide near, Time now, relay_entry& entry) const;
  void look_at(LegSide near, const relay_entry& entry);  // while the kernel goes on
  void resume(LegSide near, const relay_entry& entry);   // when it does no more

  // Of a leg with ICE: whether the party has proved that it is there, and whether it still does.
  bool is_proved(LegSide side, const Endpoint& source, Time now) const {
    return leg(side).path().has_ice() && leg(side).path().is_proved(now, source);
  }
  bool is_in_use(LegSide side, const Endpoint& source, Time now) const {
    return leg(side).path().has_ice() && leg(side).path().is_in_use(now, source);
  }

  // Of a leg without ICE: where its party is sent RTP, and from where it is heard; one place as a rule.
  const Endpoint& party(LegSide side) const { return leg(side).latch().rtp_destination(); }
  const Endpoint& heard(LegSide side) const { return leg(side).latch().heard(); }

 private:
  Leg& leg(LegSide side) { return legs_[index_of(side)]; }
  const Leg& leg(LegSide side) const { return legs_[index_of(side)]; }
  bool is_on_hold() const;
  void relay_rtp(LegSide near_side, const Endpoint& source, media::PacketBuffer datagram, Time now,
                 Outbox& outbox);
  void relay_rtcp(LegSide near_side, const Endpoint& source, media::PacketBuffer datagram, Time now,
                  Outbox& outbox);
  void respond_to_check(LegSide side, Component component, const Endpoint& source, Bytes datagram, Time now,
                        Outbox& outbox);
  void shake_hands(LegSide side, Component component, const Endpoint& source, Bytes datagram, Time now,
                   Outbox& outbox);
  void shake_hands_on_time(LegSide side, Time now, Outbox& outbox);
  bool translate(media::RtcpView& packet, const Leg& near, Leg& far, Time now);
  static bool translate_sender(const media::RtcpView& packet, Leg& far, Time now);
  static void translate_blocks(const media::RtcpView& packet, const Leg& near);
  void send_own_rtcp(LegSide side, Time now, WallTime wall_now, Outbox& outbox);

  const Duration media_timeout_;
  std::array<Leg, 2> legs_;
  std::array<PerSecond, 2> rtcp_budgets_{PerSecond{kMaxRtcpPerSecond}, PerSecond{kMaxRtcpPerSecond}};
  std::array<Time, 2> own_rtcp_at_{};
  std::array<std::array<std::uint8_t, 128 + media::kSrtpMaxRoom>, 2> own_rtcp_{};
  Time silence_since_{};  // start, or the last change of direction
  bool is_started_ = false;
  ThreadCheck thread_check_{"Bridge"};
};

}  // namespace vas::bridge
