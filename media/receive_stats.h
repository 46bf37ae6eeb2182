// Loss and jitter of one received stream. (RFC 3550 A.1, A.3, A.8)
#pragma once

#include <cstdint>
#include <optional>

#include "media/rtp_types.h"
#include "media/sequence_unwrapper.h"
#include "vas/base/time.h"

namespace vas::media {

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

// Counts one party's received media over its whole call: a change of SSRC, or a restarted sequence,
// begins a new stretch whose figures are added to those before it.
//
// Units: jitter in RTP ticks inside, milliseconds outside.
// Bounds: remembers which of the last 1,024 numbers came, to tell a duplicate from a late packet.
class ReceiveStats {
 public:
  struct Arrival {
    Ssrc ssrc;
    SequenceNumber sequence_number;
    RtpTimestamp timestamp;
    std::uint32_t clock_rate = 8000;
    std::size_t bytes = 0;
    bool measures_jitter =
        true;  // false for telephone events: their timestamp stands still (RFC 4733 §2.5.1.2)
  };
  void on_packet(Time now, const Arrival& packet);

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
  std::optional<Report> take_report();

 private:
  static constexpr int kWindow = 1024;

  void begin_stretch(const Arrival& packet);
  void end_stretch();
  void update_jitter(Time now, const Arrival& packet);
  bool mark_seen(std::int64_t number);
  std::int64_t stretch_expected() const { return in_stretch_ ? highest_ - base_ + 1 : 0; }
  std::int64_t stretch_lost() const;

  // The stretch now being received.
  bool in_stretch_ = false;
  Ssrc ssrc_;
  SequenceUnwrapper unwrapper_;
  std::int64_t base_ = 0;
  std::int64_t highest_ = 0;
  std::int64_t received_ = 0;  // without duplicates
  std::uint64_t seen_[kWindow / 64] = {};
  std::optional<std::int64_t> transit_;  // arrival minus timestamp, in ticks of clock_rate_
  std::uint32_t clock_rate_ = 8000;
  double jitter_ = 0;  // ticks
  std::int64_t reported_expected_ = 0;
  std::int64_t reported_received_ = 0;

  // The whole call.
  ReceiveSummary ended_;  // stretches that are over
  double jitter_sum_ms_ = 0;
  std::uint64_t jitter_samples_ = 0;
  double jitter_max_ms_ = 0;
};

}  // namespace vas::media
