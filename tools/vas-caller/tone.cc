// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/vas-caller/tone.h"

#include <cmath>
#include <numbers>
#include <span>

#include "tools/vas-caller/wav.h"

namespace vas::caller {
namespace {

constexpr std::size_t kBlock = kSampleRate / 10;  // 100 ms: bins 10 Hz apart are orthogonal

// Energy of `hertz` in one block (Goertzel).
double energy_at(std::span<const std::int16_t> block, double hertz) {
  const double step = 2 * std::cos(2 * std::numbers::pi * hertz / kSampleRate);
  double newer = 0;
  double older = 0;
  for (const std::int16_t sample : block) {
    const double next = sample + step * newer - older;
    older = newer;
    newer = next;
  }
  return 2 * (newer * newer + older * older - step * newer * older) / static_cast<double>(block.size());
}

double energy(std::span<const std::int16_t> block) {
  double sum = 0;
  for (const std::int16_t sample : block) sum += double{static_cast<double>(sample)} * sample;
  return sum;
}

}  // namespace

std::vector<std::int16_t> make_tone(double hertz, double seconds) {
  std::vector<std::int16_t> samples(static_cast<std::size_t>(seconds * kSampleRate));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    samples[i] = static_cast<std::int16_t>(
        12000 * std::sin(2 * std::numbers::pi * hertz * static_cast<double>(i) / kSampleRate));
  }
  return samples;
}

HeardTone find_tone(const std::vector<std::int16_t>& samples) {
  constexpr double kAudible = 200.0 * 200.0 * kBlock;
  constexpr int kFirst = 100;
  constexpr int kLast = 3800;
  std::vector<double> found(kLast / 10 + 1);
  double all = 0;
  for (std::size_t at = 0; at + kBlock <= samples.size(); at += kBlock) {
    const auto block = std::span(samples).subspan(at, kBlock);
    const double total = energy(block);
    if (total < kAudible) continue;
    all += total;
    for (int hertz = kFirst; hertz <= kLast; hertz += 10)
      found[static_cast<std::size_t>(hertz / 10)] += energy_at(block, hertz);
  }
  if (all == 0) return {};
  HeardTone heard;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double share = found[i] / all;
    if (share > heard.share) heard = {static_cast<double>(10 * i), share};
  }
  return heard;
}

}  // namespace vas::caller
