#include "base/capabilities.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

namespace vas {
namespace {

constexpr int kMostCapabilities = 64;

// As the kernel takes them: two words of 32.
struct KernelSets {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> words{};
};

std::uint64_t joined(std::uint32_t low, std::uint32_t high) { return std::uint64_t{high} << 32 | low; }

const char* name_of(int capability) {
  switch (capability) {
    case CAP_NET_BIND_SERVICE: return "CAP_NET_BIND_SERVICE";
    case CAP_NET_ADMIN: return "CAP_NET_ADMIN";
    case CAP_NET_RAW: return "CAP_NET_RAW";
    case CAP_PERFMON: return "CAP_PERFMON";
    case CAP_BPF: return "CAP_BPF";
    default: return nullptr;
  }
}

}  // namespace

Capabilities permitted_capabilities() {
  KernelSets sets;
  if (syscall(SYS_capget, &sets.header, sets.words.data()) != 0) return {};
  return Capabilities(joined(sets.words[0].permitted, sets.words[1].permitted));
}

bool keep_capabilities(Capabilities wanted) {
  const std::uint64_t kept = (permitted_capabilities() & wanted).bits();
  KernelSets sets;
  sets.words[0].permitted = sets.words[0].effective = static_cast<std::uint32_t>(kept);
  sets.words[1].permitted = sets.words[1].effective = static_cast<std::uint32_t>(kept >> 32);
  if (syscall(SYS_capset, &sets.header, sets.words.data()) != 0) return false;
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  return true;
}

void bound_capabilities(Capabilities wanted) {
  for (int each = 0; each < kMostCapabilities; ++each) {
    if (!wanted.has(each)) prctl(PR_CAPBSET_DROP, each, 0, 0, 0);
  }
}

std::string to_string(Capabilities capabilities) {
  std::string text;
  for (int each = 0; each < kMostCapabilities; ++each) {
    if (!capabilities.has(each)) continue;
    const char* name = name_of(each);
    text += (text.empty() ? "" : " ") + (name != nullptr ? name : "capability " + std::to_string(each));
  }
  return text.empty() ? "none" : text;
}

}  // namespace vas
