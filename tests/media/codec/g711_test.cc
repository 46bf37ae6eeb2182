#include "media/codec/g711.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace vas::media {
namespace {

TEST(G711, EveryCodeSurvivesItsOwnDecoding) {
  for (int code = 0; code < 256; ++code) {
    const auto byte = static_cast<std::uint8_t>(code);
    EXPECT_EQ(decode_mulaw(encode_mulaw(decode_mulaw(byte))), decode_mulaw(byte)) << code;
    EXPECT_EQ(encode_alaw(decode_alaw(byte)), byte) << code;
  }
}

TEST(G711, ErrsByLessThanItsStep) {
  for (int sample = -32000; sample <= 32000; sample += 37) {
    const auto value = static_cast<std::int16_t>(sample);
    const int step = std::max(32, std::abs(sample) / 16);
    EXPECT_LE(std::abs(decode_mulaw(encode_mulaw(value)) - sample), step) << sample;
    EXPECT_LE(std::abs(decode_alaw(encode_alaw(value)) - sample), step) << sample;
  }
}

TEST(G711, KnowsTheStandardsLandmarks) {
  EXPECT_EQ(encode_mulaw(0), 0xff);
  EXPECT_EQ(encode_alaw(0), 0xd5);
  EXPECT_EQ(decode_mulaw(0x80), 32124);
  EXPECT_EQ(decode_alaw(0xaa), 32256);
}

}  // namespace
}  // namespace vas::media
