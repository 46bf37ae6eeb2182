// Which of root's capabilities a thread holds. (capabilities(7))
#pragma once

#include <linux/capability.h>

#include <cstdint>
#include <string>

namespace vas {

// A set of CAP_ numbers.
class Capabilities {
 public:
  constexpr Capabilities() = default;
  explicit constexpr Capabilities(std::uint64_t bits) : bits_(bits) {}
  constexpr Capabilities with(int capability) const {
    return Capabilities(bits_ | (std::uint64_t{1} << capability));
  }
  constexpr Capabilities operator&(Capabilities other) const { return Capabilities(bits_ & other.bits_); }
  constexpr bool has(int capability) const { return (bits_ >> capability & 1) != 0; }
  constexpr std::uint64_t bits() const { return bits_; }
  constexpr bool operator==(const Capabilities&) const = default;

 private:
  std::uint64_t bits_ = 0;
};

// What the calling thread may use.
Capabilities permitted_capabilities();

// The calling thread, and those that it makes from now on, hold what they held of `wanted`, and get nothing
// else back. False, with errno, where the kernel refuses: a thread that gives away is never refused.
bool keep_capabilities(Capabilities wanted);

// No program that this process might become gets one that is not in `wanted`. Needs CAP_SETPCAP, and does
// nothing without it.
void bound_capabilities(Capabilities wanted);

// "CAP_NET_ADMIN CAP_NET_RAW", "none". Those that VAS has a use for have names, others numbers.
std::string to_string(Capabilities capabilities);

}  // namespace vas
