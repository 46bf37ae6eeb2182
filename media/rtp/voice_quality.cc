#include "media/rtp/voice_quality.h"

#include <algorithm>

namespace vas::media {
namespace {

struct CodecImpairment {
  double equipment = 0;        // Ie, G.113 Appendix I
  double loss_robustness = 0;  // Bpl, with packet-loss concealment
};

CodecImpairment impairment_of(std::string_view codec) {
  if (codec == "PCMU" || codec == "PCMA") return {0, 25.1};
  if (codec == "G722")
    return {13, 10};  // G.113 gives none for narrow-band scale use; taken from its 64 kbit/s rating
  return {5, 20};     // opus: no ITU figure, a cautious value for 24-32 kbit/s
}

// G.107 §7.4, the simplified delay impairment Id.
double delay_impairment(double one_way_ms) {
  const double beyond = one_way_ms - 177.3;
  return 0.024 * one_way_ms + (beyond > 0 ? 0.11 * beyond : 0);
}

// G.107 Annex B.
double mos_of(double r) {
  if (r <= 0) return 1;
  if (r >= 100) return 4.5;
  return 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6;
}

}  // namespace

VoiceQuality voice_quality(const PathMeasurement& path) {
  constexpr double kBestR = 93.2;  // G.107 defaults: no other impairment
  const auto codec = impairment_of(path.codec);
  const double loss_impairment = codec.equipment + (95 - codec.equipment) * path.loss_percent /
                                                       (path.loss_percent + codec.loss_robustness);
  const double buffer_ms = std::max(20.0, 2 * path.jitter_ms);
  const double r =
      std::clamp(kBestR - delay_impairment(path.one_way_delay_ms + buffer_ms) - loss_impairment, 0.0, 100.0);
  return {r, std::max(1.0, mos_of(r))};
}

}  // namespace vas::media
