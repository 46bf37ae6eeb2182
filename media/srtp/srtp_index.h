// Which packet this is, of all that its stream ever had, and whether it was there before. (RFC 3711 §3.3)
#pragma once

#include <cstdint>

#include "media/rtp/rtp_types.h"

namespace vas::media {

// The last kBits indices up to the highest that was taken.
class ReplayWindow {
 public:
  // RFC 3711 §3.3.2 asks for 64 at least; at 50 packets a second this is two and a half seconds.
  static constexpr unsigned kBits = 128;

  enum class Verdict { kFresh, kReplayed, kTooOld };
  Verdict check(std::uint64_t index) const {
    if (!has_any_ || index > highest_) return Verdict::kFresh;
    const std::uint64_t age = highest_ - index;
    if (age >= kBits) return Verdict::kTooOld;
    const std::uint64_t bit = age < 64 ? recent_ >> age : older_ >> (age - 64);
    return (bit & 1) != 0 ? Verdict::kReplayed : Verdict::kFresh;
  }

  // Only after its packet has proved itself.
  void insert(std::uint64_t index) {
    if (!has_any_ || index > highest_) {
      shift(has_any_ ? index - highest_ : kBits);
      highest_ = index;
      has_any_ = true;
      recent_ |= 1;
      return;
    }
    const std::uint64_t age = highest_ - index;
    if (age < 64) {
      recent_ |= std::uint64_t{1} << age;
    } else if (age < kBits) {
      older_ |= std::uint64_t{1} << (age - 64);
    }
  }

  bool has_any() const { return has_any_; }
  std::uint64_t highest() const { return highest_; }

  // As if everything up to `index` had been taken.
  static ReplayWindow all_up_to(std::uint64_t index) {
    ReplayWindow window;
    window.highest_ = index;
    window.has_any_ = true;
    window.recent_ = window.older_ = ~std::uint64_t{0};
    return window;
  }

  friend bool operator==(const ReplayWindow&, const ReplayWindow&) = default;

 private:
  void shift(std::uint64_t by) {
    if (by >= kBits) {
      recent_ = older_ = 0;
    } else if (by >= 64) {
      older_ = recent_ << (by - 64);
      recent_ = 0;
    } else {
      older_ = older_ << by | recent_ >> (64 - by);  // `by` is never 0
      recent_ <<= by;
    }
  }

  std::uint64_t highest_ = 0;
  std::uint64_t recent_ = 0;  // bit n: highest_ - n
  std::uint64_t older_ = 0;   // bit n: highest_ - 64 - n
  bool has_any_ = false;
};

// The 48-bit index of a packet with this sequence number, by the highest index so far: the roll-over counter
// that brings it nearest. In a stream's first half round a jump ahead is taken for what it says: before the
// first packet there is no earlier round.
constexpr std::uint64_t estimate_index(std::uint64_t highest, SequenceNumber number) {
  // Of the sequence number's 16 bits.
  constexpr std::uint64_t kHalf = 0x8000, kRound = 0x10000;
  const std::uint64_t round = highest & ~(kRound - 1);
  const std::uint64_t same = round | number.value;
  if (highest <= kHalf) return number.value;
  if ((highest & 0xffff) < kHalf) return same > highest && same - highest > kHalf ? same - kRound : same;
  return highest > same && highest - same > kHalf ? same + kRound : same;
}

}  // namespace vas::media
