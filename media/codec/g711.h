// G.711 mu-law and A-law, by the tables' arithmetic. (ITU-T G.711)
#pragma once

#include <cstdint>

namespace vas::media {

std::uint8_t encode_mulaw(std::int16_t sample);
std::uint8_t encode_alaw(std::int16_t sample);
std::int16_t decode_mulaw(std::uint8_t code);
std::int16_t decode_alaw(std::uint8_t code);

}  // namespace vas::media
