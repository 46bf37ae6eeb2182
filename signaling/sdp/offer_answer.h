// Which formats two parties share, and how each is described to the other. (RFC 3264 §6)
#pragma once

#include <vector>

#include "signaling/sdp/sdp.h"

namespace vas::signaling {

// The formats of `one`, with its payload types, that `other` has too; in `one`'s order, with `other`'s fmtp
// (each party is told what the other one asks for). Telephone events go by name: their clock may differ.
// Comfort noise stays where a codec of its clock does.
std::vector<AudioFormat> shared_formats(const AudioDescription& one, const AudioDescription& other);

// The answer's direction to a party that offered `offered`, when the other party would have `wanted` (RFC
// 3264 §6.1).
Direction answer_direction(Direction offered, Direction wanted);

// What we offer when nobody has offered anything yet.
std::vector<AudioFormat> default_formats();

// Our side of a leg, speaking for `party` to the other party: its formats and direction at our address. How
// media is protected is each party's own affair.
AudioDescription relayed(const AudioDescription& party, const Endpoint& local);

}  // namespace vas::signaling
