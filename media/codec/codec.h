// The audio formats that a call can carry, with the numbers that SDP and RTP give them. (RFC 3551, 7587,
// 4733, 3389)
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "media/rtp/rtp_types.h"

namespace vas::media {

enum class Codec : std::uint8_t { kPcmu, kPcma, kG722, kOpus, kTelephoneEvent, kComfortNoise };

// Neither telephone events nor comfort noise (RFC 3389) are the talk itself: they go beside a codec that is.
constexpr bool is_audio(Codec codec) {
  return codec != Codec::kTelephoneEvent && codec != Codec::kComfortNoise;
}

// RFC 3551 §6; sent by some whether it was agreed on or not.
inline constexpr PayloadType kComfortNoisePayloadType{13};

struct CodecInfo {
  Codec codec;
  std::string_view name;     // as `a=rtpmap` writes it
  std::uint32_t clock_rate;  // RTP ticks a second: 8000 for G722 too, whose audio is 16 kHz (RFC 3551 §4.5.2)
  int channels;              // as `a=rtpmap` writes them: opus is always 2 (RFC 7587 §4.1)
  std::optional<PayloadType> static_payload_type;
};

const CodecInfo& info_of(Codec codec);

// By its SDP encoding name, in any case.
std::optional<Codec> codec_by_name(std::string_view name);

// By payload type, where no `a=rtpmap` names it (RFC 3551 §6).
std::optional<Codec> codec_by_static_payload_type(PayloadType payload_type);

}  // namespace vas::media
