#include "signaling/sdp/offer_answer.h"

#include <algorithm>

namespace vas::signaling {

std::vector<AudioFormat> shared_formats(const AudioDescription& one, const AudioDescription& other) {
  std::vector<AudioFormat> shared;
  for (const AudioFormat& format : one.formats) {
    const auto match = std::find_if(other.formats.begin(), other.formats.end(), [&](const AudioFormat& each) {
      const bool is_event = format.codec == media::Codec::kTelephoneEvent;
      return each.codec == format.codec && (is_event || each.clock_rate == format.clock_rate);
    });
    if (match == other.formats.end()) continue;
    shared.push_back(format);
    shared.back().fmtp = match->fmtp;
  }
  // Comfort noise fills the pauses of a codec of its clock (RFC 3389 §4).
  std::erase_if(shared, [&](const AudioFormat& noise) {
    return noise.codec == media::Codec::kComfortNoise &&
           std::none_of(shared.begin(), shared.end(), [&](const AudioFormat& each) {
             return media::is_audio(each.codec) && each.clock_rate == noise.clock_rate;
           });
  });
  return shared;
}

Direction answer_direction(Direction offered, Direction wanted) {
  return {.sends = offered.receives && wanted.sends, .receives = offered.sends && wanted.receives};
}

std::vector<AudioFormat> default_formats() {
  using media::Codec;
  return {{{96}, Codec::kOpus, 48000, ""},
          {{9}, Codec::kG722, 8000, ""},
          {{0}, Codec::kPcmu, 8000, ""},
          {{8}, Codec::kPcma, 8000, ""},
          {{101}, Codec::kTelephoneEvent, 8000, "0-15"}};
}

AudioDescription relayed(const AudioDescription& party, const Endpoint& local) {
  AudioDescription described = party;
  described.rtp = local;
  described.rtcp_mux = false;
  described.protocol = MediaProtocol::kRtpAvp;
  described.crypto.clear();
  described.dtls.reset();
  described.ice.reset();
  described.mid.clear();
  described.is_bundled = false;
  return described;
}

}  // namespace vas::signaling
