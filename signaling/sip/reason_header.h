// Why a call ended, in the words of who ended it: Reason. (RFC 3326, RFC 6432)
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace vas::signaling {

inline constexpr std::size_t kMaxReasons = 8;        // of a message: SIP's, Q.850's, and some of others'
inline constexpr std::size_t kMaxReasonBytes = 512;  // of one value

// What of a message's Reason values, which commas part, may be told another party: those that the grammar
// allows, in their order. May be empty; never holds a control character.
std::string passable_reasons(std::string_view values);

}  // namespace vas::signaling
