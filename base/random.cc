#include "base/random.h"

#include <sys/random.h>

#include <vector>

#include "base/check.h"
#include "base/text.h"

namespace vas {

void fill_random(MutableBytes out) {
  std::size_t filled = 0;
  while (filled < out.size()) {
    const ssize_t got = getrandom(out.data() + filled, out.size() - filled, 0);
    VAS_CHECK(got > 0, "getrandom cannot fail once the system is up");
    filled += static_cast<std::size_t>(got);
  }
}

std::uint32_t random_u32() { return static_cast<std::uint32_t>(random_u64()); }

std::uint64_t random_u64() {
  std::uint64_t value = 0;
  fill_random({reinterpret_cast<std::uint8_t*>(&value), sizeof value});
  return value;
}

std::string random_hex(std::size_t bytes) {
  std::vector<std::uint8_t> raw(bytes);
  fill_random(raw);
  return to_hex(raw);
}

}  // namespace vas
