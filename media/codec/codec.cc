#include "media/codec/codec.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace vas::media {
namespace {

constexpr std::array<CodecInfo, 6> kCodecs = {{
    {Codec::kPcmu, "PCMU", 8000, 1, PayloadType{0}},
    {Codec::kPcma, "PCMA", 8000, 1, PayloadType{8}},
    {Codec::kG722, "G722", 8000, 1, PayloadType{9}},
    {Codec::kOpus, "opus", 48000, 2, {}},
    {Codec::kTelephoneEvent, "telephone-event", 8000, 1, {}},
    {Codec::kComfortNoise, "CN", 8000, 1, kComfortNoisePayloadType},
}};

// info_of() finds a codec's row by its number.
static_assert([] {
  for (std::size_t i = 0; i < kCodecs.size(); ++i) {
    if (static_cast<std::size_t>(kCodecs[i].codec) != i) return false;
  }
  return true;
}());

}  // namespace

const CodecInfo& info_of(Codec codec) { return kCodecs[static_cast<std::size_t>(codec)]; }

std::optional<Codec> codec_by_name(std::string_view name) {
  const auto found = std::find_if(kCodecs.begin(), kCodecs.end(), [&](const CodecInfo& each) {
    return equals_ignoring_case(each.name, name);
  });
  if (found == kCodecs.end()) return {};
  return found->codec;
}

std::optional<Codec> codec_by_static_payload_type(PayloadType payload_type) {
  const auto found = std::find_if(kCodecs.begin(), kCodecs.end(), [&](const CodecInfo& each) {
    return each.static_payload_type == payload_type;
  });
  if (found == kCodecs.end()) return {};
  return found->codec;
}

}  // namespace vas::media
