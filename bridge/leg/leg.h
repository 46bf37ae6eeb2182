// One party's media: whose packets it takes, what it counts, and the one unbroken stream that it is sent.
#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include "base/thread_check.h"
#include "bridge/leg/latch.h"
#include "bridge/leg/leg_config.h"
#include "bridge/leg/relay_entry.h"
#include "bridge/leg/secure_path.h"
#include "media/rtp/receive_stats.h"
#include "media/rtp/rtcp_packet.h"
#include "media/rtp/rtp_packet.h"
#include "media/rtp/stream_splicer.h"
#include "media/rtp/telephone_event.h"

namespace vas::bridge {

// Random numbers of a leg's outgoing stream, drawn by the caller (RFC 3550 §5.1, §8).
struct StreamSeed {
  media::Ssrc ssrc;
  media::SequenceNumber sequence_number;
  media::RtpTimestamp timestamp;
};

// Keeps one party's side of a bridge: whom it is heard from, what was counted, what it was sent last. It
// decides packet by packet whether one is the party's, and what number, time and payload type the other
// party's packet gets on its way to it. It need not know sockets, threads, or what the other leg is: Bridge
// carries packets from one to the other.
//
// Threads: its bridge's media worker only.
// Bounds:  SecureSetup::leg_packets_per_second of RTP, of what is the party's.
class Leg {
 public:
  Leg(const StreamSeed& seed, const SecureSetup& setup)
      : path_(setup),
        rtp_budget_(setup.leg_packets_per_second),
        outgoing_ssrc_(seed.ssrc),
        splicer_(seed.sequence_number, seed.timestamp) {}

  void configure(const LegConfig& config);
  void expect_ghost(const std::optional<HeardStream>& ghost) { latch_.expect_ghost(ghost); }
  bool is_configured() const { return is_configured_; }
  const LegConfig& config() const { return config_; }

  // SRTP. True when the packet is in the clear now, or was all along; what is forged or was there before is
  // counted and no more.
  bool unprotect(media::PacketBuffer& packet) {
    return !path_.is_encrypted() || accepts_unprotected(path_.unprotect(packet));
  }
  bool unprotect_rtcp(media::PacketBuffer& compound);
  // What costs least comes first: before a key is tried,
  // whether RTP or RTCP from there can be the party's at all.
  bool accepts_rtp_from(Time now, const Endpoint& source) {
    return !path_.is_encrypted() || may_be_party(now, source);
  }
  bool accepts_rtcp_from(Time now, const Endpoint& source) const;
  // False when it cannot be sent: its index was used already, or there is no room behind it.
  bool protect(media::PacketBuffer& packet) { return path_.protect(packet) == media::SrtpResult::kOk; }
  bool protect_rtcp(media::PacketBuffer& compound) {
    return path_.protect_rtcp(compound) == media::SrtpResult::kOk;
  }

  // Near side. Checks, counts and measures one RTP packet that came from the party. Nothing when it is to go
  // no further. One of a payload type that was not negotiated has its place in the party's numbers too: it is
  // left out there.
  struct Admitted {
    media::Arrived arrived = media::Arrived::kGoesOn;
    const LegFormat* format = nullptr;  // null: not negotiated
  };
  std::optional<Admitted> admit(Time now, const media::RtpPacket& packet, std::size_t bytes,
                                const Endpoint& source);
  bool admit_rtcp(Time now, Bytes compound, const Endpoint& source);
  void count_malformed() { ++stats_.malformed; }

  // Far side. Turns the other party's packet, in place, into the next of this party's stream, and says where
  // it goes. Null when it is not to be sent: on hold, nowhere to go, too late,
  // or no payload type for its format.
  const Endpoint* rewrite_for_party(Time now, const media::RtpPacket& packet, const Admitted& admitted,
                                    MutableBytes datagram);
  void on_sent(std::size_t bytes) {
    ++stats_.sent_packets;
    stats_.sent_bytes += bytes;
  }

  // RTCP. The party's reports speak of our outgoing stream; these turn them into the other party's numbers.
  void on_party_report(Time now, const media::RtcpView& packet);
  void on_report_sent(Time now, std::uint32_t ntp_middle);
  Time last_rtcp_at() const { return last_rtcp_at_; }

  // Where the party's media goes; unset when there is nowhere, or ICE's consent has run out.
  const Endpoint& rtp_destination(Time now) const;
  Endpoint rtcp_destination(Time now) const;
  SecurePath& path() { return path_; }
  const SecurePath& path() const { return path_; }
  // As what DTLS may come from there: what ICE proved; without it SDP's address, or whoever may latch.
  // Nothing: not at all.
  std::optional<media::DtlsSource> dtls_source(Time now, Component component, const Endpoint& source) const;

  media::Ssrc outgoing_ssrc() const { return outgoing_ssrc_; }
  media::StreamSplicer& splicer() { return splicer_; }
  const media::StreamSplicer& splicer() const { return splicer_; }
  media::ReceiveStats& receive_stats() { return receive_stats_; }
  const Latch& latch() const { return latch_; }
  Time last_heard_at() const { return std::max(last_rtp_at_, last_rtcp_at_); }
  std::optional<media::SenderInfo> sender_info(Time now, WallTime wall_now) const;

  LegStats stats() const;
  void count_oversized() { ++stats_.oversized; }
  void count_expired() { ++stats_.expired; }
  void count_overrun(std::uint64_t datagrams) { stats_.overrun += datagrams; }
  std::uint64_t over_limit() const { return stats_.over_limit + kernel_.over_limit; }

  // The kernel's fast path. The near leg says whose packets it is to take, the far leg what they become; both
  // false where user space must go on. Afterwards each takes its part of what the kernel counted.
  bool describe_near(Time now, relay_entry& entry) const;
  bool describe_far(const Leg& near, relay_entry& entry) const;
  void look_near(const relay_entry& entry);
  void look_far(const relay_entry& entry);
  void end_near();
  void end_far();

 private:
  // Of ours, by which the party's reports say how long the way is: they come each few seconds, and name one
  // of the last.
  static constexpr std::size_t kRememberedReports = 4;
  struct SentReport {
    std::uint32_t ntp_middle = 0;
    Time at{};
  };

  bool may_be_party(Time now, const Endpoint& source);
  bool is_party(Time now, const Endpoint& source) const {
    return path_.has_ice() ? path_.is_proved(now, source) : source == latch_.heard();
  }
  const LegFormat* format_of(media::PayloadType payload_type) const;
  std::optional<Admitted> count_unknown(Time now, const media::RtpPacket& packet, std::size_t bytes,
                                        const Endpoint& source);
  bool needs_user_space() const { return path_.is_encrypted() || path_.has_ice(); }
  bool accepts_unprotected(media::SrtpResult result);
  void measure_ptime(const media::RtpPacket& packet, const LegFormat& format);
  void record_frame(std::uint32_t ticks, std::uint32_t clock_rate) {
    constexpr std::uint64_t kLongestFrame = 120;  // ms: opus's longest packet; more is a pause, not a frame
    if (ticks != 0 && ticks * std::uint64_t{1000} <= clock_rate * kLongestFrame)
      last_frame_ = {ticks, clock_rate};
  }
  // Ticks from the press to the segment of it that the packet becomes; 0 for what is no event.
  std::uint32_t scale_event(const media::RtpPacket& packet, const LegFormat& to, MutableBytes datagram,
                            media::StreamSplicer::Incoming& incoming);
  // The payload type under which this party is sent what the other sends as `wanted`.
  const LegFormat* counterpart(const LegFormat& wanted) const;
  void record_report_block(Time now, Bytes block);

  SecurePath path_;
  LegConfig config_;
  bool is_configured_ = false;
  std::array<std::int8_t, 128> format_index_{};  // by payload type; -1 where not negotiated
  Latch latch_;

  // What the party sends.
  media::ReceiveStats receive_stats_;
  media::TelephoneEventCounter telephone_events_;
  std::optional<media::RtpTimestamp> last_audio_timestamp_;
  media::SequenceNumber last_audio_number_;
  struct {
    std::uint32_t ticks = 0;
    std::uint32_t clock_rate = 8000;
  } last_frame_;
  PerSecond rtp_budget_;
  Time last_rtp_at_{};
  Time last_rtcp_at_{};

  // What the party is sent.
  media::Ssrc outgoing_ssrc_;
  media::StreamSplicer splicer_;
  media::TelephoneEventScaler event_scaler_;
  media::RtpTimestamp last_sent_timestamp_;
  Time last_sent_at_{};
  std::uint32_t last_sent_clock_rate_ = 8000;
  std::array<SentReport, kRememberedReports> sent_reports_{};
  std::size_t next_sent_report_ = 0;

  LegStats stats_;
  // Since the kernel took over, in the direction from and to the party.
  struct {
    std::uint64_t refused_source = 0;
    std::uint64_t unknown_payload_type = 0;
    std::uint64_t expired = 0;
    std::uint64_t over_limit = 0;
    std::uint64_t sent_packets = 0;
    std::uint64_t sent_bytes = 0;
  } kernel_;
  ThreadCheck thread_check_{"Leg"};
};

}  // namespace vas::bridge
