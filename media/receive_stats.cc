#include "media/receive_stats.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace vas::media {
namespace {

constexpr std::int64_t kMaxDropout = 3000;  // RFC 3550 A.1
constexpr std::int64_t kMaxMisorder = 100;  // RFC 3550 A.1

}  // namespace

std::optional<double> ReceiveSummary::loss_percent() const {
  if (expected == 0) return {};
  return 100.0 * static_cast<double>(lost) / static_cast<double>(expected);
}

void ReceiveStats::on_packet(Time now, const Arrival& packet) {
  if (in_stretch_ && ssrc_ != packet.ssrc) end_stretch();
  if (!in_stretch_) begin_stretch(packet);

  std::int64_t number = unwrapper_.unwrap(packet.sequence_number);
  const std::int64_t step = number - highest_;
  if (step > kMaxDropout || step < -std::max<std::int64_t>(kMaxMisorder, kWindow)) {
    end_stretch();
    begin_stretch(packet);
    number = unwrapper_.unwrap(packet.sequence_number);
  }

  ++ended_.packets;
  ended_.bytes += packet.bytes;
  if (number < highest_ && number >= base_ - kMaxMisorder) base_ = std::min(base_, number);
  if (!mark_seen(number)) {
    ++ended_.duplicates;
    return;
  }
  ++received_;
  if (number < highest_) ++ended_.out_of_order;
  highest_ = std::max(highest_, number);
  if (packet.measures_jitter) update_jitter(now, packet);
}

void ReceiveStats::begin_stretch(const Arrival& packet) {
  in_stretch_ = true;
  ssrc_ = packet.ssrc;
  unwrapper_.reset();
  base_ = highest_ = unwrapper_.unwrap(packet.sequence_number);
  received_ = reported_expected_ = reported_received_ = 0;
  std::memset(seen_, 0, sizeof seen_);
  transit_.reset();
  jitter_ = 0;
}

void ReceiveStats::end_stretch() {
  if (!in_stretch_) return;
  ended_.expected += stretch_expected();
  ended_.lost += stretch_lost();
  in_stretch_ = false;
}

// RFC 3550 A.8: J += (|D| - J) / 16.
void ReceiveStats::update_jitter(Time now, const Arrival& packet) {
  if (packet.clock_rate != clock_rate_) {  // another codec: ticks of another length
    clock_rate_ = packet.clock_rate;
    transit_.reset();
  }
  // Split before multiplying: microseconds since boot times the clock rate would overflow.
  const std::int64_t microseconds = now.time_since_epoch().count();
  const std::int64_t arrival =
      microseconds / 1'000'000 * clock_rate_ + microseconds % 1'000'000 * clock_rate_ / 1'000'000;
  const auto transit =
      static_cast<std::int32_t>(static_cast<std::uint32_t>(arrival) - packet.timestamp.value);
  if (!transit_) {
    transit_ = transit;
    return;
  }
  const auto difference =
      static_cast<std::int32_t>(static_cast<std::uint32_t>(transit) - static_cast<std::uint32_t>(*transit_));
  transit_ = transit;
  jitter_ += (std::abs(static_cast<double>(difference)) - jitter_) / 16.0;

  const double jitter_ms = jitter_ * 1000.0 / clock_rate_;
  jitter_sum_ms_ += jitter_ms;
  ++jitter_samples_;
  jitter_max_ms_ = std::max(jitter_max_ms_, jitter_ms);
}

// False if `number` was there before. Numbers that leave the window are forgotten as it moves on.
bool ReceiveStats::mark_seen(std::int64_t number) {
  const auto bit_of = [](std::int64_t each) { return static_cast<std::uint64_t>(each) % kWindow; };
  for (std::int64_t skipped = std::max(highest_ + 1, number - kWindow + 1); skipped <= number; ++skipped) {
    seen_[bit_of(skipped) / 64] &= ~(1ULL << (bit_of(skipped) % 64));
  }
  std::uint64_t& word = seen_[bit_of(number) / 64];
  const std::uint64_t bit = 1ULL << (bit_of(number) % 64);
  const bool is_new = (word & bit) == 0;
  word |= bit;
  return is_new;
}

std::int64_t ReceiveStats::stretch_lost() const {
  return std::max<std::int64_t>(0, stretch_expected() - received_);
}

ReceiveSummary ReceiveStats::summary() const {
  ReceiveSummary summary = ended_;
  summary.expected += stretch_expected();
  summary.lost += in_stretch_ ? stretch_lost() : 0;
  if (jitter_samples_ > 0) {
    summary.jitter_mean_ms = jitter_sum_ms_ / static_cast<double>(jitter_samples_);
    summary.jitter_max_ms = jitter_max_ms_;
  }
  return summary;
}

std::optional<ReceiveStats::Report> ReceiveStats::take_report() {
  if (!in_stretch_) return {};
  const std::int64_t expected = stretch_expected() - reported_expected_;
  const std::int64_t lost = expected - (received_ - reported_received_);
  reported_expected_ = stretch_expected();
  reported_received_ = received_;

  Report report{.ssrc = ssrc_};
  if (expected > 0 && lost > 0)
    report.fraction_lost = static_cast<std::uint8_t>(std::min<std::int64_t>(255, lost * 256 / expected));
  report.cumulative_lost = static_cast<std::uint32_t>(std::min<std::int64_t>(0x7fffff, stretch_lost()));
  report.extended_highest = static_cast<std::uint32_t>(highest_);
  report.jitter = static_cast<std::uint32_t>(std::lround(jitter_));
  return report;
}

}  // namespace vas::media
