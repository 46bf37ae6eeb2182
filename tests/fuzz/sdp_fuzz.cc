// A peer's session description: parsed, answered, and the answer parsed again.
#include <cstdlib>

#include "signaling/sdp/offer_answer.h"
#include "signaling/sdp/sdp.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vas::signaling;
  const auto offer = SessionDescription::parse({reinterpret_cast<const char*>(data), size});
  if (!offer || !offer->audio_line) return 0;
  AudioDescription ours = relayed(offer->audio, *vas::Endpoint::parse("192.0.2.1:4000"));
  ours.formats = shared_formats(offer->audio, offer->audio);
  if (ours.formats.empty()) return 0;
  const auto answer = SessionDescription::parse(write_answer({1, 1}, *offer, ours));
  if (!answer || answer->lines.size() != offer->lines.size()) std::abort();
  return 0;
}
