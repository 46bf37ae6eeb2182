#include "media/codec/g711.h"

#include <algorithm>

namespace vas::media {
namespace {

// ITU-T G.711: what is added so that each segment begins at a power of two.
constexpr int kMulawBias = 0x84;
// The loudest that the last segment holds with the bias.
constexpr int kMulawClip = 32635;

// Index of the highest set bit at or above `lowest`, counted from it.
int segment_of(int magnitude, int lowest) {
  int segment = 0;
  while (segment < 7 && magnitude >> (lowest + segment + 1) != 0) ++segment;
  return segment;
}

}  // namespace

std::uint8_t encode_mulaw(std::int16_t sample) {
  const int sign = sample < 0 ? 0x80 : 0;
  const int magnitude = std::min(sample < 0 ? -int{sample} : int{sample}, kMulawClip) + kMulawBias;
  const int segment = segment_of(magnitude, 7);
  const int mantissa = magnitude >> (segment + 3) & 0x0f;
  return static_cast<std::uint8_t>(~(sign | segment << 4 | mantissa));
}

std::int16_t decode_mulaw(std::uint8_t code) {
  const int value = ~code & 0xff;
  const int magnitude = ((((value & 0x0f) << 3) + kMulawBias) << (value >> 4 & 0x07)) - kMulawBias;
  return static_cast<std::int16_t>((value & 0x80) != 0 ? -magnitude : magnitude);
}

std::uint8_t encode_alaw(std::int16_t sample) {
  const int sign = sample >= 0 ? 0x80 : 0;
  const int magnitude = sample >= 0 ? int{sample} : -int{sample} - 1;
  const int segment = magnitude < 256 ? 0 : segment_of(magnitude, 7);
  const int mantissa = segment == 0 ? magnitude >> 4 & 0x0f : magnitude >> (segment + 3) & 0x0f;
  return static_cast<std::uint8_t>((sign | segment << 4 | mantissa) ^ 0x55);
}

std::int16_t decode_alaw(std::uint8_t code) {
  const int value = code ^ 0x55;
  const int segment = value >> 4 & 0x07;
  int magnitude = (value & 0x0f) << 4;
  magnitude = segment == 0 ? magnitude + 8 : (magnitude + 0x108) << (segment - 1);
  return static_cast<std::int16_t>((value & 0x80) != 0 ? magnitude : -magnitude);
}

}  // namespace vas::media
