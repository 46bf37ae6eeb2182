// Tones: made for sending, and found in what was heard.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <vector>

namespace vas::caller {

std::vector<std::int16_t> make_tone(double hertz, double seconds);

struct HeardTone {
  double hertz = 0;  // the strongest, to 10 Hz; 0: silence
  double share = 0;  // of the energy that is in it
};
HeardTone find_tone(const std::vector<std::int16_t>& samples);

}  // namespace vas::caller
