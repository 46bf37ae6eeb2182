// R factor and MOS from what was measured on the way. (ITU-T G.107 E-model, defaults for what we cannot know)
#pragma once

#include <string_view>

namespace vas::media {

struct VoiceQuality {
  double r_factor = 0;
  double mos = 0;
};

struct PathMeasurement {
  std::string_view codec;  // "PCMU", "PCMA", "G722", "opus"
  double loss_percent = 0;
  double jitter_ms = 0;  // the listener's jitter buffer is taken as twice this, at least 20 ms
  double one_way_delay_ms = 0;
};

VoiceQuality voice_quality(const PathMeasurement& path);

}  // namespace vas::media
