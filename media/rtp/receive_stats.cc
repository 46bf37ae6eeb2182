#include "media/rtp/receive_stats.h"

#include <algorithm>
#include <cmath>

namespace vas::media {
namespace {

constexpr double kNanosecondsPerMillisecond = 1e6;

}  // namespace

std::uint32_t clock_rate_of(std::uint64_t tick_length_q10) {
  return static_cast<std::uint32_t>((kTicksPerSecond + tick_length_q10 / 2) / tick_length_q10);
}

std::optional<double> ReceiveSummary::loss_percent() const {
  if (expected == 0) return {};
  return 100.0 * static_cast<double>(lost) / static_cast<double>(expected);
}

Arrived ReceiveStats::on_packet(Time now, const Arrival& packet) {
  const bool has_clock = !packet.is_event && !packet.is_unknown;
  const rtp_arrival arrival{.at_ns = nanoseconds(now),
                            .tick_length_q10 = has_clock ? tick_length_q10(packet.clock_rate) : 0,
                            .ssrc = packet.ssrc.value,
                            .timestamp = packet.timestamp.value,
                            .bytes = static_cast<std::uint32_t>(packet.bytes),
                            .number = packet.sequence_number.value};
  const rtp_judgement judged = rtp_judge(&state_, &arrival);
  if (judged.place == kRtpGoesOn) {
    rtp_count(&state_, &arrival, &judged);
    return Arrived::kGoesOn;
  }
  return on_unusual(arrival, judged);
}

Arrived ReceiveStats::on_unusual(const rtp_arrival& arrival, const rtp_judgement& judged) {
  switch (judged.place) {
    case kRtpGoesOn: break;
    case kRtpTimestampJumps:
      state_.transit_tick_length_q10 = state_.line_tick_length_q10 = 0;
      count_first(arrival);
      return Arrived::kTimestampJumps;
    case kRtpIsSuspect: return on_suspect(arrival, judged);
    case kRtpBegins:
      if (is_in_stretch() && arrival.tick_length_q10 == 0) {
        ++state_.packets;
        state_.bytes += arrival.bytes;
        return Arrived::kAside;
      }
      break;
    case kRtpRepeats: break;
  }
  begin_stretch({arrival.ssrc}, {arrival.number});
  count_first(arrival);
  return Arrived::kBeginsAnew;
}

// Of a stretch, or of a line of timestamps.
void ReceiveStats::count_first(const rtp_arrival& arrival) {
  const rtp_judgement first{kRtpGoesOn, rtp_unwrap(&state_, arrival.number), 0};
  rtp_count(&state_, &arrival, &first);
}

// The first of two in a row has come, though it went nowhere: it is not lost.
Arrived ReceiveStats::on_suspect(const rtp_arrival& arrival, const rtp_judgement& judged) {
  const bool is_borne_out = state_.suspects != 0 && arrival.number == state_.suspect_next;
  if (!is_borne_out) {
    ++state_.packets;
    state_.bytes += arrival.bytes;
    const bool is_repeat = judged.number > state_.highest - kRtpSeenWindow &&
                           judged.number <= state_.highest && rtp_was_seen(&state_, judged.number) != 0;
    if (is_repeat) ++state_.duplicates;  // as long as nothing bears it out
    state_.suspects = is_repeat ? 2 : 1;
    state_.suspect_next = static_cast<std::uint16_t>(arrival.number + 1);
    return Arrived::kOnProbation;
  }
  if (state_.suspects == 2) --state_.duplicates;
  begin_stretch({arrival.ssrc}, {static_cast<std::uint16_t>(arrival.number - 1)});
  rtp_mark_seen(&state_, state_.highest);
  state_.received = 1;
  count_first(arrival);
  return Arrived::kBeginsAnew;
}

void ReceiveStats::begin_stretch(Ssrc ssrc, SequenceNumber first) {
  end_stretch();
  state_.in_stretch = 1;
  state_.ssrc = ssrc.value;
  state_.base = state_.highest = first.value;
  state_.received = reported_expected_ = reported_received_ = 0;
  std::fill(std::begin(state_.seen), std::end(state_.seen), 0);
  state_.transit_tick_length_q10 = state_.line_tick_length_q10 = 0;
  state_.jitter_q4 = 0;
  state_.lateness_ns = 0;
  state_.suspects = state_.repeats = 0;
}

void ReceiveStats::end_stretch() {
  if (!is_in_stretch()) return;
  state_.ended_expected += stretch_expected();
  state_.ended_lost += stretch_lost();
  state_.in_stretch = 0;
}

std::int64_t ReceiveStats::stretch_expected() const {
  return is_in_stretch() ? state_.highest - state_.base + 1 : 0;
}

std::int64_t ReceiveStats::stretch_lost() const {
  return is_in_stretch() ? std::max<std::int64_t>(0, stretch_expected() - state_.received) : 0;
}

ReceiveSummary ReceiveStats::summary() const {
  ReceiveSummary summary{.packets = state_.packets,
                         .bytes = state_.bytes,
                         .expected = state_.ended_expected + stretch_expected(),
                         .lost = state_.ended_lost + stretch_lost(),
                         .out_of_order = state_.out_of_order,
                         .duplicates = state_.duplicates,
                         .jitter_mean_ms = {},
                         .jitter_max_ms = {}};
  if (state_.jitter_samples > 0) {
    summary.jitter_mean_ms = static_cast<double>(state_.jitter_sum_ns) /
                             static_cast<double>(state_.jitter_samples) / kNanosecondsPerMillisecond;
    summary.jitter_max_ms = static_cast<double>(state_.jitter_max_ns) / kNanosecondsPerMillisecond;
  }
  return summary;
}

std::optional<ReceiveStats::Report> ReceiveStats::pop_report() {
  if (!is_in_stretch()) return {};
  const std::int64_t expected = stretch_expected() - reported_expected_;
  const std::int64_t lost = expected - (state_.received - reported_received_);
  reported_expected_ = stretch_expected();
  reported_received_ = state_.received;

  Report report{.ssrc = {state_.ssrc}};
  if (expected > 0 && lost > 0)
    report.fraction_lost = static_cast<std::uint8_t>(std::min<std::int64_t>(255, lost * 256 / expected));
  report.cumulative_lost = static_cast<std::uint32_t>(std::min<std::int64_t>(0x7fffff, stretch_lost()));
  report.extended_highest = static_cast<std::uint32_t>(state_.highest);
  if (state_.transit_tick_length_q10 != 0) {
    const double jitter_seconds = static_cast<double>(state_.jitter_q4) / 16 / 1e9;
    report.jitter = static_cast<std::uint32_t>(
        std::lround(jitter_seconds * clock_rate_of(state_.transit_tick_length_q10)));
  }
  return report;
}

}  // namespace vas::media
