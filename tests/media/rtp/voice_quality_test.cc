#include "media/rtp/voice_quality.h"

#include <gtest/gtest.h>

namespace vas::media {
namespace {

TEST(VoiceQuality, ACleanG711CallIsNearTheBestThatTheModelGives) {
  const auto quality = voice_quality({.codec = "PCMU"});
  EXPECT_NEAR(quality.r_factor, 92.7, 0.3);
  EXPECT_NEAR(quality.mos, 4.4, 0.05);
}

TEST(VoiceQuality, FallsWithLossAndWithDelay) {
  const double clean = voice_quality({.codec = "PCMU"}).mos;
  const double lossy = voice_quality({.codec = "PCMU", .loss_percent = 5}).mos;
  const double bad = voice_quality({.codec = "PCMU", .loss_percent = 5, .one_way_delay_ms = 400}).mos;
  EXPECT_GT(clean, lossy);
  EXPECT_GT(lossy, bad);
  EXPECT_GE(voice_quality({.codec = "PCMU", .loss_percent = 100, .one_way_delay_ms = 5000}).mos, 1.0);
}

}  // namespace
}  // namespace vas::media
