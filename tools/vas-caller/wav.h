// Mono 16-bit WAV files at 8 kHz: what the caller plays and records.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace vas::caller {

inline constexpr int kSampleRate = 8000;

Result<std::vector<std::int16_t>> read_wav(const std::string& path);
bool write_wav(const std::string& path, const std::vector<std::int16_t>& samples);

}  // namespace vas::caller
