// Puts wrapping 16-bit sequence numbers on one ordered 64-bit line.
#pragma once

#include <cstdint>
#include <optional>

#include "media/rtp_types.h"

namespace vas::media {

class SequenceUnwrapper {
 public:
  // The number nearest to the newest seen so far that is congruent to `number` mod 2^16.
  std::int64_t unwrap(SequenceNumber number) {
    if (!newest_) return *(newest_ = number.value);
    const auto step = static_cast<std::int16_t>(number.value - static_cast<std::uint16_t>(*newest_));
    const std::int64_t unwrapped = *newest_ + step;
    if (step > 0) newest_ = unwrapped;
    return unwrapped;
  }

  void reset() { newest_.reset(); }

 private:
  std::optional<std::int64_t> newest_;
};

}  // namespace vas::media
