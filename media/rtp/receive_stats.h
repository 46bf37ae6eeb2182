// Loss and jitter of one received stream. (RFC 3550 A.1, A.3, A.8)
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "media/rtp/rtp_stream_state.h"
#include "media/rtp/rtp_types.h"

namespace vas::media {

// A tick's length in 1/1024 ns. `clock_rate` is not 0.
inline constexpr std::uint64_t kTicksPerSecond = 1'000'000'000ULL * 1024;
inline std::uint64_t tick_length_q10(std::uint32_t clock_rate) { return kTicksPerSecond / clock_rate; }
std::uint32_t clock_rate_of(std::uint64_t tick_length_q10);  // the inverse

inline std::uint64_t nanoseconds(Time time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count()) * 1000;
}

// What was received, as the record and RTCP report it.
struct ReceiveSummary {
  std::uint64_t packets = 0;  // duplicates included
  std::uint64_t bytes = 0;    // RTP payload and header, as received
  std::int64_t expected = 0;
  std::int64_t lost = 0;  // never below 0: a duplicate does not make up for a loss (unlike RFC 3550 A.3)
  std::uint64_t out_of_order = 0;
  std::uint64_t duplicates = 0;
  std::optional<double> jitter_mean_ms;
  std::optional<double> jitter_max_ms;

  std::optional<double> loss_percent() const;
};

// What a packet is to the stream that came so far, for the relay too.
enum class Arrived {
  kGoesOn,
  kBeginsAnew,  // a new SSRC, or a restarted sequence: nothing that was counted before says what is missing
  kTimestampJumps,  // the numbers go on
  kOnProbation,     // it fits nothing: it counts for nothing until the next one bears it out
  kAside,           // telephone events that have an SSRC of their own, beside the audio's
};

// Counts one party's received media over its whole call: a change of SSRC, or a restarted sequence,
// begins a new stretch whose figures are added to those before it. One packet restarts no sequence; two in a
// row do (RFC 3550 A.1), or a long run of numbers that were there before.
//
// Units: jitter in milliseconds; in reports in ticks of the packet's clock.
// Bounds: remembers which of the last 1,024 numbers came, to tell a duplicate from a late packet.
class ReceiveStats {
 public:
  struct Arrival {
    Ssrc ssrc;
    SequenceNumber sequence_number;
    RtpTimestamp timestamp;
    std::uint32_t clock_rate = 8000;
    std::size_t bytes = 0;
    bool is_event = false;    // a telephone event's timestamp stands still (RFC 4733 §2.5.1.2)
    bool is_unknown = false;  // of a payload type without a clock: only its number counts
  };
  Arrived on_packet(Time now, const Arrival& packet);

  // A pause that both sides know of (hold): what comes after it is a new stretch, not loss.
  void restart() { end_stretch(); }

  ReceiveSummary summary() const;

  // For report blocks (RFC 3550 §6.4.1).
  struct Report {
    Ssrc ssrc;
    std::uint8_t fraction_lost = 0;
    std::uint32_t cumulative_lost = 0;
    std::uint32_t extended_highest = 0;
    std::uint32_t jitter = 0;
  };
  // Also begins the next interval for fraction_lost. Nothing when no stream is being received.
  std::optional<Report> pop_report();

  // The state while the kernel counts: handed over, looked at, and taken back (bridge/kernel/kernel_relay.h).
  // Only a stretch that has begun may be handed over.
  bool is_in_stretch() const { return state_.in_stretch != 0; }
  const rtp_receive_state& state() const { return state_; }
  void set_state(const rtp_receive_state& state) { state_ = state; }

 private:
  Arrived on_unusual(const rtp_arrival& arrival, const rtp_judgement& judged);
  Arrived on_suspect(const rtp_arrival& arrival, const rtp_judgement& judged);
  void count_first(const rtp_arrival& arrival);
  void begin_stretch(Ssrc ssrc, SequenceNumber first);
  void end_stretch();
  std::int64_t stretch_expected() const;
  std::int64_t stretch_lost() const;

  rtp_receive_state state_{};
  std::int64_t reported_expected_ = 0;
  std::int64_t reported_received_ = 0;
};

}  // namespace vas::media
